"""The engine over a real database: what is acknowledged is on disk; a full disk loses nothing."""

import asyncio
import shutil
import sqlite3
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from notifyd.engine.clock import Clock
from notifyd.engine.engine import Engine
from notifyd.model.attempts import Outcome, OutcomeKind
from notifyd.model.errors import ConcurrentUpdateError, StoreUnavailableError
from notifyd.model.notifications import Message, Payload, Priority, Status
from notifyd.outbox.queries import COLUMN_LIST
from notifyd.outbox.store import OutboxStore
from notifyd.shaping.codec import restore_state
from notifyd.shaping.inputs import Retried, Submitted
from notifyd.shaping.rules import Limit, Rule, Rules
from support.daemon import wait_for
from support.histories import PEER, match

RULES = Rules(
    triggers={"app": Rule("app", debounce=0.0, cooldown=0.0)},
    rate=Limit(100_000, 60.0),
    budget=Limit(100_000, 60.0),
)


def render(row, content, now):
    return Payload(
        row.id, getattr(content, "title", row.trigger), "body", {"count": str(row.count)}
    )


def request(title="hi"):
    return Submitted(Message(title, ""), Priority.DEFAULT, PEER)


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


async def fill(engine):
    while True:
        await engine.apply([request("y" * 4000)], fail_fast=True)


def on_disk(folder, query):
    with sqlite3.connect(folder / "notifyd.db") as reader:
        found = reader.execute(query).fetchall()
    reader.close()
    return found


async def test_what_is_acknowledged_is_on_disk(tmp_path):
    async with running(tmp_path) as (engine, _):
        (reply,) = await engine.apply([request("hello")])
        assert on_disk(tmp_path, "SELECT id, title FROM notifications") == [
            (reply.notification.id, "hello")
        ]


async def test_positions_and_what_came_of_them_are_one_commit(tmp_path):
    async with running(tmp_path) as (engine, _):
        await engine.apply([match("app")], {"log:a": "17"}, rereadable=True)
        both = "SELECT value, (SELECT count(*) FROM notifications) FROM positions"
        assert on_disk(tmp_path, both) == [("17", 1)]


async def test_each_of_many_at_once_gets_its_own_answer(tmp_path):
    async with running(tmp_path) as (engine, _):
        replies = await asyncio.gather(
            *(engine.apply([request(str(number))]) for number in range(200))
        )
        titles = {reply.notification.id: str(number) for number, (reply,) in enumerate(replies)}
    assert dict(on_disk(tmp_path, "SELECT id, title FROM notifications")) == titles


async def test_while_many_texts_are_made_others_have_their_turns(tmp_path):
    turns, seen = 0, set()

    def rendered(row, content, now):
        seen.add(turns)
        return render(row, content, now)

    async with running(tmp_path) as (engine, _):
        engine.render = rendered
        offer = asyncio.ensure_future(engine.apply([match("app")] * 500, rereadable=True))
        while not offer.done():
            turns += 1
            await asyncio.sleep(0)
    assert len(seen) >= 10


async def test_a_full_disk_refuses_requests_and_keeps_what_cannot_be_asked_again(tmp_path):
    async with running(tmp_path) as (engine, store):
        (pages,) = store._writer.execute("PRAGMA page_count").fetchone()
        store._writer.execute(f"PRAGMA max_page_count = {pages}")
        large = {"log:a": "x" * 100_000}
        waiting = asyncio.ensure_future(engine.apply([match("app")] * 3, large, rereadable=True))
        with pytest.raises(StoreUnavailableError, match="the disk is full: free some space"):
            await fill(engine)
        assert engine.store_error
        with pytest.raises(StoreUnavailableError):
            await engine.apply([request()], fail_fast=True)
        assert not waiting.done()
        assert await store.load_checkpoints() == {}
        store._writer.execute("PRAGMA max_page_count = 100000")
        await waiting
        assert engine.store_error == ""
        assert await store.load_checkpoints() == large
        matched = "SELECT count(*) FROM notifications WHERE trigger = 'app'"
        assert on_disk(tmp_path, matched) == [(3,)]
        await engine.apply([request("z")], fail_fast=True)


async def test_an_order_is_on_disk_as_attempting_before_it_is_given(tmp_path):
    async with running(tmp_path) as (engine, _):
        await engine.start_worker()
        await engine.apply([request()])
        order = await engine.next_attempt()
        assert on_disk(tmp_path, "SELECT id, status FROM notifications") == [
            (order.id, "attempting")
        ]
        ended = asyncio.ensure_future(engine.wait_finished(order.id, 5.0))
        await engine.report(Outcome(order.id, OutcomeKind.DELIVERED, report={"devices": 1}))
        assert (await ended).status is Status.DELIVERED


async def test_a_debounce_ends_by_itself_and_survives_a_restart(tmp_path):
    rules = Rules(triggers={"app": Rule("app", debounce=0.2, cooldown=7.0)})
    started = time.monotonic()
    async with running(tmp_path, rules) as (engine, _):
        await engine.apply([match("app")])
        assert on_disk(tmp_path, "SELECT * FROM notifications") == []
    await asyncio.to_thread(wait_for, lambda: time.monotonic() > started + 0.3)
    async with running(tmp_path, rules) as (engine, _):
        await engine.apply([])  # what became due is told first, and by the configured rule
        (row,) = engine.state.notifications.values()
        assert row.count == 1
        (group,) = engine.state.groups.values()
        assert group.cooldown == 7.0


async def test_history_is_pruned_when_nothing_else_happens(tmp_path):
    machine = {"monotonic": 0.0, "wall": 1e9}

    def clock(stored):
        return Clock(
            stored,
            boot="boot",
            monotonic=lambda: machine["monotonic"],
            wall=lambda: machine["wall"],
        )

    rules = Rules(history=86400.0)
    async with running(tmp_path, rules, clock) as (engine, _):
        await engine.start_worker()
        await engine.apply([request()])
        await engine.report(Outcome((await engine.next_attempt()).id, OutcomeKind.DELIVERED))
        for _ in range(2):
            machine["monotonic"] += 90_000
            machine["wall"] += 90_000
            await engine.apply([])
        assert on_disk(tmp_path, "SELECT id FROM notifications") == []


async def test_a_row_that_is_retried_must_still_be_as_it_was_in_that_very_commit(tmp_path):
    async with running(tmp_path) as (engine, store):
        await engine.start_worker()
        (reply,) = await engine.apply([request("text")])
        await engine.report(Outcome(reply.notification.id, OutcomeKind.FAILED, "too long"))
        known = await store.find(reply.notification.id)
        wish = Retried(PEER, known)
        stale = Retried(PEER, replace(known, attempts=7))
        both = asyncio.gather(engine.apply([wish]), engine.apply([request("other")]))
        with pytest.raises(ConcurrentUpdateError):
            await engine.apply([stale])
        await both
        assert (await store.payload(known.id)).title == "text"
        while (order := await engine.next_attempt()).id != known.id or order.attempts == 1:
            await engine.report(Outcome(order.id, OutcomeKind.DELIVERED))
        await engine.report(Outcome(known.id, OutcomeKind.DELIVERED))
        with pytest.raises(ConcurrentUpdateError):
            await engine.apply([wish])
        assert (await store.find(known.id)).status is Status.DELIVERED


async def test_stopping_commits_what_was_offered(tmp_path):
    async with running(tmp_path) as (engine, _):
        offered = [asyncio.ensure_future(engine.apply([match("app")])) for _ in range(50)]
        await asyncio.sleep(0)
        engine.stop()
        await asyncio.gather(*offered)
    assert on_disk(tmp_path, "SELECT count(*) FROM notifications") == [(50,)]


async def test_a_database_that_is_deleted_in_a_quiet_hour_is_written_again(tmp_path):
    folder = tmp_path / "state"
    async with running(folder) as (engine, _):
        await engine.apply([request("hello")])
        maintenance = asyncio.create_task(engine.run_maintenance(0.01))
        shutil.rmtree(folder)
        incidents = "SELECT title FROM notifications ORDER BY id"
        async with asyncio.timeout(10):
            while not engine.state.incidents:  # noqa: ASYNC110 - the state tells nobody
                await asyncio.sleep(0.01)
        maintenance.cancel()
        assert on_disk(folder, incidents) == [("hello",), ("notifyd's database was deleted",)]


async def test_what_is_known_goes_over_what_a_damaged_database_still_says(tmp_path):
    async with running(tmp_path) as (engine, store):
        await engine.start_worker()
        replies = await engine.apply([request("one"), request("two"), request("three")])
        one, two, three = (reply.notification.id for reply in replies)
        (order,) = [await engine.next_attempt()]
        assert order.id == one
        for change in (
            f"DELETE FROM notifications WHERE id = '{two}'",
            f"UPDATE notifications SET status = 'queued', attempts = 0 WHERE id = '{one}'",
            (
                f"INSERT INTO notifications SELECT 'z', {COLUMN_LIST.partition(', ')[2]} "
                f"FROM notifications WHERE id = '{three}'"
            ),
            "DELETE FROM pieces",
        ):
            store._writer.execute(change)
        store._damage = "what a read would have said"
        await engine.apply([match("app")])
        rows = "SELECT id, status, title FROM notifications WHERE trigger = 'socket'"
        assert set(on_disk(tmp_path, rows)) == {
            (one, "attempting", "one"),
            (two, "queued", "two"),
            (three, "queued", "three"),
            ("z", "failed", "three"),
        }
        assert on_disk(tmp_path, "SELECT count(*) FROM pieces WHERE name = 'books:'") == [(1,)]
        assert engine.store_error == ""


async def test_a_clock_that_is_set_in_a_quiet_hour_is_noticed(tmp_path):
    ahead = [0.0]

    def clock(stored):
        return Clock(stored, boot="boot", wall=lambda: time.time() + ahead[0])

    async with running(tmp_path, clock=clock) as (engine, store):
        (reply,) = await engine.apply([request("too late by then")])
        maintenance = asyncio.create_task(engine.run_maintenance(0.01))
        ahead[0] = 2 * RULES.expire
        await engine.wait_finished(reply.notification.id, 10)
        maintenance.cancel()
        assert (await store.find(reply.notification.id)).status is Status.EXPIRED
