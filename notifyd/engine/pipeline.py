"""READ FIRST. What a configuration determines: sources → triggers → shaping rules → text.

A pipeline is built as a whole before any of it runs, and a reload replaces it as a whole. Its
sources observe; the engine decides (`shaping.step`) and commits; delivery sends what is in the
outbox.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import partial
from math import inf

from notifyd.config.settings import Settings
from notifyd.config.triggers import (
    BUILT_IN_TRIGGER,
    AnyTrigger,
    HeartbeatTriggerConfig,
    OblienTriggerConfig,
    PlatformHealthConfig,
)
from notifyd.engine.engine import Engine
from notifyd.engine.renderer import Renderer
from notifyd.engine.sources import BuildSource, PipelineContext, SourceBuilders
from notifyd.engine.supervisor import SourceSupervisor
from notifyd.model.events import Event, Match, SourceBatch
from notifyd.model.health import SourceHealth
from notifyd.model.notifications import Message, Priority
from notifyd.shaping.rules import AgentRules, Budget, HeartbeatRule, Limit, Rule, Rules
from notifyd.shaping.state import Reply
from notifyd.shaping.summaries import summarize_one
from notifyd.sources.base import Source
from notifyd.telemetry.problem_log import ProblemReporter
from notifyd.text.limits import is_encodable, replace_surrogates, show_escaped_bytes
from notifyd.text.redaction import redact
from notifyd.triggers import Trigger
from notifyd.triggers.sample import sample_event

_TEST_PREFIX = "Test: "
"""Begins the title of a sample, so that nobody takes it for an alarm."""
_CONNECTED = ("oblien",)
"""The sources that hold connections to other machines."""


class Pipeline:
    """settings: validated. triggers, rules and render serve the engine as long as this runs."""

    def __init__(self, settings: Settings, context: PipelineContext) -> None:
        configs: dict[str, AnyTrigger | PlatformHealthConfig] = {**settings.triggers}
        if any(config.type == "oblien" and config.get for config in settings.triggers.values()):
            configs[BUILT_IN_TRIGGER] = PlatformHealthConfig()
        self.mask: Callable[[str], str] = redact if settings.text.redact else str
        self.triggers = {
            name: Trigger(
                name,
                config,
                settings.defaults,
                host=context.host,
                workspace=context.workspace,
                redact=self.mask,
            )
            for name, config in configs.items()
        }
        self.rules = build_rules(settings, self.triggers)
        self.render = Renderer(self.triggers, is_redacting=settings.text.redact).render
        self._load_checkpoints = context.load_checkpoints
        self._health_changed = asyncio.Event()
        self._sources = [
            SourceSupervisor(kind, partial(self._build, kind, build), self._health_changed.set)
            for kind, build in SourceBuilders(self.triggers, settings, context).by_kind().items()
        ]

    async def _build(self, kind: str, build: BuildSource) -> Source:
        checkpoints = await self._load_checkpoints()
        return build({key: value for key, value in checkpoints.items() if _kind(key) == kind})

    async def run(self, engine: Engine, reporter: ProblemReporter) -> None:
        """Watch until cancelled. reporter: logs what is wrong at the sources."""
        await self._delete_orphans(engine)
        reporter.pipeline_started()

        async def emit(batch: SourceBatch) -> None:
            events = _well_formed(batch.events)
            matches = [self.triggers[event.trigger].match(event) for event in events]
            commit = engine.apply(matches, batch.checkpoints, rereadable=batch.rereadable)
            await _complete(asyncio.ensure_future(commit))

        async with asyncio.TaskGroup() as group:
            for source in self._sources:
                group.create_task(source.run(emit), name=f"{source.name} source")
            group.create_task(self._report_problems(reporter), name="problem reporter")

    async def _delete_orphans(self, engine: Engine) -> None:
        """Delete the checkpoints of kinds without triggers: later they would be out of date."""
        kinds = {source.name for source in self._sources}
        orphans = [key for key in await self._load_checkpoints() if _kind(key) not in kinds]
        if orphans:
            await engine.apply([], dict.fromkeys(orphans))

    async def _report_problems(self, reporter: ProblemReporter) -> None:
        """Report the sources' problems whenever they change, or the reporter asks for it."""
        loop = asyncio.get_running_loop()
        while True:
            self._health_changed.clear()
            report_again = reporter.update(self.health(), loop.time())
            with suppress(TimeoutError):
                async with asyncio.timeout_at(None if report_again == inf else report_again):
                    await self._health_changed.wait()

    def sample(self, name: str, wall: float) -> tuple[Message, Priority]:
        """Return what a trigger would send for a sample event at `wall`, and its priority.

        The title begins with "Test: ".
        """
        trigger = self.triggers[name]
        summary = summarize_one(sample_event(name, trigger.config, wall))
        title, body = trigger.render(summary, wall)
        title = f"{_TEST_PREFIX}{title or name}"
        return Message(title, body, trigger.render_data(summary, wall)), trigger.config.priority

    def webhook_matches(self, event: Event, name: str) -> tuple[Match, ...]:
        """Return a match for each trigger whose `webhook` is this event name. event: its facts."""
        return tuple(
            trigger.match(event._replace(trigger=trigger.name))
            for event in _well_formed([event])
            for trigger in self.triggers.values()
            if isinstance(trigger.config, OblienTriggerConfig)
            and trigger.config.webhook
            and fnmatchcase(name, trigger.config.webhook)
        )

    def reconnect(self) -> None:
        """Have the sources reopen their connections to other machines."""
        for source in self._sources:
            if source.name in _CONNECTED:
                source.restart()

    async def wait_ready(self) -> None:
        """Wait until every source has finished its first scan."""
        for source in self._sources:
            await source.ready.wait()

    def health(self) -> list[SourceHealth]:
        """Return the health of each source. Heartbeats, which the fold observes, are one too."""
        sources = [source.health() for source in self._sources]
        heartbeats = len(self.rules.heartbeats)
        return [*sources, SourceHealth("heartbeat", heartbeats)] if heartbeats else sources


def _kind(checkpoint_key: str) -> str:
    return checkpoint_key.partition(":")[0]


def _well_formed(events: Sequence[Event]) -> Sequence[Event]:
    """Replace lone surrogates: names of files and commands may be any bytes.

    Names in another encoding than UTF-8 stay readable.
    """
    if is_encodable("".join(_texts_of(events))):
        return events
    return [
        event
        if is_encodable("".join(_texts_of([event])))
        else event._replace(
            line=replace_surrogates(show_escaped_bytes(event.line)),
            path=replace_surrogates(show_escaped_bytes(event.path)),
            fields=replace_surrogates(event.fields),
            facts=replace_surrogates(event.facts),
        )
        for event in events
    ]


def _texts_of(events: Sequence[Event]) -> Iterator[str]:
    """Yield all texts of events, those that many of them share once."""
    yield from [event.line for event in events]
    yield from {event.path for event in events}
    mappings = {id(event.fields): event.fields for event in events}
    mappings |= {id(event.facts): event.facts for event in events}
    for mapping in mappings.values():
        yield from mapping.values()


async def _complete(commit: asyncio.Future[list[Reply | None]]) -> None:
    """Wait for a commit even if cancelled, so that the next source starts behind it."""
    try:
        await asyncio.shield(commit)
    except asyncio.CancelledError:
        await asyncio.wait({commit})
        if not commit.cancelled():
            commit.exception()  # retrieved, so that asyncio does not log it
        raise


def build_rules(settings: Settings, triggers: Mapping[str, Trigger]) -> Rules:
    """Return what the fold knows of a configuration."""
    delivery = settings.delivery
    return Rules(
        triggers={name: _build_rule(settings, trigger) for name, trigger in triggers.items()},
        heartbeats={
            name: _build_heartbeat_rule(trigger.config)
            for name, trigger in triggers.items()
            if isinstance(trigger.config, HeartbeatTriggerConfig)
        },
        rate=Limit(settings.rate_limit.max, settings.rate_limit.per),
        budget=Budget(
            settings.budget.max,
            settings.budget.per,
            settings.budget.effective_total,
            settings.budget.digest,
        ),
        expire=delivery.expire,
        probe=delivery.probe,
        history=delivery.history,
        digest=delivery.digest,
        agents=AgentRules(settings.agents.grace, settings.agents.min_duration),
    )


def _build_heartbeat_rule(config: HeartbeatTriggerConfig) -> HeartbeatRule:
    identity = (config.every, config.cron, config.timezone, config.grace, config.max_runtime)
    return HeartbeatRule(
        identity="\0".join("" if part is None else str(part) for part in identity),
        every=config.every or 0.0,
        recurrence=config.schedule,
        grace=config.grace,
        max_runtime=inf if config.max_runtime is None else config.max_runtime,
    )


def _build_rule(settings: Settings, trigger: Trigger) -> Rule:
    shaping = trigger.shaping
    return Rule(
        trigger=trigger.name,
        identity=trigger.identity,
        priority=trigger.config.priority,
        failure_priority=trigger.config.failure_priority,
        max_groups=shaping.max_groups,
        threshold=shaping.threshold,
        window=shaping.window,
        debounce=shaping.debounce,
        max_wait=shaping.max_wait,
        cooldown=shaping.cooldown,
        cooldown_max=shaping.cooldown_max,
        mute=tuple(settings.mute[mute].window(mute) for mute in shaping.mute),
        has_conditions=trigger.config.has_conditions,
        repeat=shaping.repeat,
        resolve=shaping.resolve,
        begin_after=shaping.begin_after,
        end_after=shaping.end_after,
    )
