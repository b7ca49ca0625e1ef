"""READ FIRST. What the configuration decides: sources → triggers → shaping → outbox.

A pipeline is built whole before anything of it runs, and replaced whole when the configuration
changes. It watches; the driver decides (`step`) and commits; delivery sends what is in the outbox.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from math import inf
from pathlib import Path
from typing import TypeVar

import structlog

from notifyd.config.settings import Settings
from notifyd.config.triggers import (
    FileTriggerConfig,
    LogTriggerConfig,
    ProcessTriggerConfig,
    ScheduleTriggerConfig,
)
from notifyd.engine.clock import boot_id
from notifyd.engine.engine import Engine
from notifyd.engine.supervisor import SourceSupervisor
from notifyd.matching.record_matcher import RecordMatcher
from notifyd.matching.scanner import Scanner
from notifyd.matching.verifier import PatternSet as Patterns
from notifyd.model.events import Event, Now, SourceBatch
from notifyd.model.health import SourceHealth
from notifyd.model.notifications import Content, Digest, Json, Message, Notification, Payload
from notifyd.shaping.rules import Limit, Rule, Rules
from notifyd.shaping.state import Reply
from notifyd.sources.base import Source
from notifyd.sources.files.source import FileSource
from notifyd.sources.journal.source import JournalSource
from notifyd.sources.logs.options import LogSourceOptions
from notifyd.sources.logs.source import LogSource
from notifyd.sources.processes.source import ProcessSource
from notifyd.sources.schedule.source import ScheduleSource
from notifyd.telemetry.problem_log import ProblemReporter
from notifyd.text.limits import is_well_formed, replace_surrogates, truncate_notification
from notifyd.text.redaction import redact, redact_data
from notifyd.triggers import Trigger, render_digest

T = TypeVar("T")
log = structlog.get_logger()


class Pipeline:
    """settings: checked already. own: folders of the daemon itself, never a source.

    positions: reads what is committed, for a source that starts.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        host: str,
        workspace: str,
        own: tuple[Path, ...],
        cache: Path,
        scanning: ThreadPoolExecutor,
        wall: Callable[[], float],
        positions: Callable[[], Awaitable[dict[str, str]]],
    ) -> None:
        self.settings = settings
        self._mask: Callable[[str], str] = redact if settings.text.redact else str
        self.triggers = {
            name: Trigger(
                name,
                config,
                settings.defaults,
                host=host,
                workspace=workspace,
                redact=self._mask,
            )
            for name, config in settings.triggers.items()
        }
        self.rules = rules_of(settings, self.triggers)
        self._own, self._cache, self._scanning, self._wall = own, cache, scanning, wall
        self._positions = positions
        self._changed = asyncio.Event()
        self._sources = [
            SourceSupervisor(name, partial(_made, make, positions, f"{name}:"), self._changed.set)
            for name, make in self._kinds().items()
        ]

    async def run(self, engine: Engine, reporter: ProblemReporter) -> None:
        """Watch until cancelled. complaints: hear of what is wrong at the sources."""
        await self._forget_orphans(engine)

        async def emit(reading: SourceBatch) -> None:
            matches = [
                self.triggers[event.trigger].match(_well_formed(event)) for event in reading.events
            ]
            commit = engine.apply(matches, reading.positions, rereadable=reading.rereadable)
            await _finish(asyncio.ensure_future(commit))

        async with asyncio.TaskGroup() as group:
            for source in self._sources:
                group.create_task(source.run(emit), name=f"{source.name} source")
            group.create_task(self._report_problems(reporter), name="problem reporter")

    async def _report_problems(self, reporter: ProblemReporter) -> None:
        """Have the problems of sources told whenever they are others than before."""
        loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            again = reporter.hear(self.health(), loop.time())
            with suppress(TimeoutError):
                async with asyncio.timeout_at(None if again == inf else again):
                    await self._changed.wait()

    async def _forget_orphans(self, engine: Engine) -> None:
        """Drop what sources remembered that nobody configures any more: it would mislead later."""
        kinds = self._kinds()
        orphans = [key for key in await self._positions() if key.partition(":")[0] not in kinds]
        if orphans:
            await engine.apply([], dict.fromkeys(orphans))

    async def wait_ready(self) -> None:
        """Wait until every source has looked at what is there, and hears of what comes."""
        for source in self._sources:
            await source.ready.wait()

    def health(self) -> list[SourceHealth]:
        return [source.health() for source in self._sources]

    def _kinds(self) -> dict[str, Callable[[Mapping[str, str]], Source]]:
        """Tell how each kind of source that has triggers is made from its positions."""
        kinds: dict[str, Callable[[Mapping[str, str]], Source]] = {}
        lines = self._of(LogTriggerConfig)
        if logs := {name: trigger for name, trigger in lines.items() if trigger.paths}:
            brief = LogSourceOptions(logs, self._scanner, self._judge, self._wall, self._own)
            kinds["log"] = lambda positions: LogSource(brief, positions, executor=self._scanning)
        if journals := {name: trigger for name, trigger in lines.items() if trigger.journal}:
            kinds["journal"] = lambda positions: JournalSource(
                journals,
                positions,
                scanner_for=self._scanner,
                record_matcher_for=self._judge,
                wall=self._wall,
                executor=self._scanning,
            )
        if files := self._of(FileTriggerConfig):
            usual = min(self.triggers[name].shaping.debounce for name in files)
            kinds["file"] = lambda positions: FileSource(
                files, positions, wall=self._wall, excluded=self._own, debounce=usual
            )
        if processes := self._of(ProcessTriggerConfig):
            kinds["process"] = lambda positions: ProcessSource(
                processes, positions, wall=self._wall, boot_id=boot_id()
            )
        if schedules := self._of(ScheduleTriggerConfig):
            kinds["schedule"] = lambda positions: ScheduleSource(
                schedules, positions, wall=self._wall
            )
        return kinds

    def _of(self, kind: type[T]) -> dict[str, T]:
        return {
            name: trigger
            for name, trigger in self.settings.triggers.items()
            if isinstance(trigger, kind)
        }

    def _scanner(self, names: tuple[str, ...]) -> Scanner:
        """Compile the patterns of these triggers into one scanner: on the scanning thread."""
        logs = self._of(LogTriggerConfig)
        return Scanner([patterns_of(name, logs[name]) for name in names], cache=self._cache)

    def _judge(self, name: str) -> RecordMatcher:
        return RecordMatcher(patterns_of(name, self._of(LogTriggerConfig)[name], records=True))

    def render(self, row: Notification, content: Content, now: Now) -> Payload:
        """Make the text of a notification, within its limits and without secrets.

        Whatever happens here, the news must arrive: a fault of ours is told instead of the text.
        """
        try:
            return self._rendered(row, content, now)
        except Exception as error:
            log.exception("a notification's text could not be made", trigger=row.trigger)
            fault = f"(its text could not be made: {type(error).__name__})"
            return Payload(row.id, row.trigger, fault, _own_data(row))

    def _rendered(self, row: Notification, content: Content, now: Now) -> Payload:
        data: Json = {}
        match content:
            case Message():
                title, body, data = content.title, content.body, dict(content.data)
            case Digest():
                title, body = render_digest(content, now.wall, self._mask)
            case _:
                trigger = self.triggers[row.trigger]
                title, body = trigger.render(content, now.wall)
                data = dict(trigger.config.data)
        if self.settings.text.redact:
            title, body, data = redact(title), redact(body), redact_data(data)
        title, body, data = truncate_notification(title, body, data | _own_data(row))
        return Payload(row.id, title, body, data)


def _well_formed(event: Event) -> Event:
    """Replace what no text can hold: names of files and commands may be any bytes."""
    texts = (event.line, event.path, *event.fields.values(), *event.facts.values())
    if is_well_formed("".join(texts)):
        return event
    return event._replace(
        line=replace_surrogates(event.line),
        path=replace_surrogates(event.path),
        fields=replace_surrogates(event.fields),
        facts=replace_surrogates(event.facts),
    )


def _own_data(row: Notification) -> Json:
    return {
        "notification_id": row.id,
        "trigger": row.trigger,
        "priority": row.priority.value,
        "count": str(row.count),
    }


def patterns_of(name: str, trigger: LogTriggerConfig, *, records: bool = False) -> Patterns:
    """Say what is looked for: in a file's lines, or in one of its `records` that is whole."""
    return Patterns(
        trigger=name,
        patterns=tuple(trigger.patterns),
        exclude=tuple(trigger.exclude),
        encoding=trigger.encoding,
        max_line=trigger.max_line,
        first=None if records else trigger.multiline,
    )


async def _finish(commit: asyncio.Future[list[Reply | None]]) -> None:
    """Wait for a commit even when cancelled: who comes next goes on from the positions in it."""
    try:
        await asyncio.shield(commit)
    except asyncio.CancelledError:
        await asyncio.wait({commit})
        commit.cancelled() or commit.exception()  # either way it is over
        raise


async def _made(
    make: Callable[[Mapping[str, str]], Source],
    positions: Callable[[], Awaitable[dict[str, str]]],
    prefix: str,
) -> Source:
    known = await positions()
    return make({key: value for key, value in known.items() if key.startswith(prefix)})


def rules_of(settings: Settings, compiled: Mapping[str, Trigger]) -> Rules:
    """Say the configuration in the fold's terms."""
    triggers = {}
    for name, trigger in compiled.items():
        shaping = trigger.shaping
        triggers[name] = Rule(
            trigger=name,
            identity=trigger.identity,
            priority=trigger.config.priority,
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
        )
    delivery = settings.delivery
    return Rules(
        triggers=triggers,
        rate=Limit(settings.rate_limit.max, settings.rate_limit.per),
        budget=Limit(settings.budget.max, settings.budget.per),
        expire=delivery.expire,
        probe=delivery.probe,
        history=delivery.history,
        digest=delivery.digest,
    )
