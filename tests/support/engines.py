"""An engine over a real database."""

import asyncio
from contextlib import asynccontextmanager

from notifyd.engine.clock import Clock
from notifyd.engine.engine import Engine
from notifyd.model.notifications import Payload
from notifyd.outbox.store import OutboxStore
from notifyd.shaping.codec import restore_state
from notifyd.shaping.rules import Budget, Limit, Rule, Rules

RULES = Rules(
    triggers={"app": Rule("app", debounce=0.0, cooldown=0.0)},
    rate=Limit(100_000, 60.0),
    budget=Budget(100_000, 60.0, 100_000),
)


def render(row, content, now):
    return Payload(
        row.id, getattr(content, "title", row.trigger), "body", {"count": str(row.count)}
    )


@asynccontextmanager
async def running(folder, rules=RULES, clock=lambda stored: Clock(stored, boot="boot")):
    async with OutboxStore(folder) as store:
        stored = await store.load()
        clock = clock(stored.clock)
        state = restore_state(
            stored.state_entries, stored.notifications, seed="seed", now=clock.now()
        )
        engine = Engine(store, state, clock, rules, render)
        async with asyncio.TaskGroup() as group:
            group.create_task(engine.run())
            try:
                yield engine, store
            finally:
                engine.stop()
