"""Which sources a configuration needs, and how each is built from its checkpoints.

A source and its libraries are imported when a trigger needs them, here and nowhere else.
"""

import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from notifyd.config.settings import Settings
from notifyd.config.shaping import ResolvedShaping
from notifyd.config.triggers import (
    BUILT_IN_TRIGGER,
    CommandTriggerConfig,
    FileTriggerConfig,
    LogTriggerConfig,
    OblienTriggerConfig,
    ProcessTriggerConfig,
    ResourceTriggerConfig,
    ScheduleTriggerConfig,
    TriggerConfig,
    UnitTriggerConfig,
)
from notifyd.engine.clock import boot_id
from notifyd.matching.record_matcher import RecordMatcher
from notifyd.matching.scanner import Scanner
from notifyd.matching.verifier import PatternSet
from notifyd.sources.base import Source
from notifyd.sources.platform.fetching import OpenFetcher
from notifyd.triggers import Trigger

Checkpoints = Mapping[str, str]
BuildSource = Callable[[Checkpoints], Source]

T = TypeVar("T")

_MOST_EVENTS = 500
"""Events of one step that may each have a group, or a notification: some 50 µs each."""
_MOST_BULK_EVENTS = 2000
"""Events of one step that are counted together: about 1 µs each."""


@dataclass(frozen=True, slots=True)
class PipelineContext:
    """What every pipeline is built with, and no reload changes.

    host, workspace: for templates. own_paths: the daemon's own files, which no source watches.
    pattern_cache: a directory for compiled patterns. scan_executor: one thread, for matching.
    load_checkpoints: reads what is committed. wall: the wall clock, for the times of events.
    open_fetcher: asks the platform's API at a base URL; None without credentials. environ: says
    where the buses of systemd are.
    """

    host: str
    workspace: str
    own_paths: tuple[Path, ...]
    pattern_cache: Path
    scan_executor: ThreadPoolExecutor
    load_checkpoints: Callable[[], Awaitable[dict[str, str]]]
    wall: Callable[[], float]
    open_fetcher: Callable[[str], OpenFetcher] | None = None
    environ: Mapping[str, str] = field(default_factory=dict)


def most_events(shapings: Iterable[ResolvedShaping]) -> int:
    """Return how many events of triggers with this shaping one step folds in a short time."""
    is_bulk = all(
        not shaping.group_by and (shaping.debounce or shaping.cooldown) for shaping in shapings
    )
    return _MOST_BULK_EVENTS if is_bulk else _MOST_EVENTS


class SourceBuilders:
    """Maps each kind of source that has triggers to the function that builds it.

    The keys of a source's checkpoints begin with its kind and a colon.
    """

    def __init__(
        self, triggers: Mapping[str, Trigger], settings: Settings, context: PipelineContext
    ) -> None:
        self._triggers, self._settings, self._context = triggers, settings, context
        self._configs: dict[str, TriggerConfig] = {
            name: trigger.config for name, trigger in triggers.items()
        }
        self._logs = _of_type(self._configs, LogTriggerConfig)

    def by_kind(self) -> dict[str, BuildSource]:
        builders = {
            "log": self._log(),
            "journal": self._journal(),
            "file": self._file(),
            "process": self._process(),
            "schedule": self._schedule(),
            "command": self._command(),
            "oblien": self._oblien(),
            "resource": self._resource(),
            "unit": self._unit(),
        }
        return {kind: build for kind, build in builders.items() if build is not None}

    def _log(self) -> BuildSource | None:
        triggers = {name: config for name, config in self._logs.items() if config.paths}
        if not triggers:
            return None
        from notifyd.sources.logs.options import LogSourceOptions
        from notifyd.sources.logs.source import LogSource

        context = self._context
        options = LogSourceOptions(
            triggers,
            self._scanner,
            self._record_matcher,
            context.wall,
            context.own_paths,
            most_events=most_events([self._triggers[name].shaping for name in triggers]),
        )
        return lambda checkpoints: LogSource(options, checkpoints, executor=context.scan_executor)

    def _journal(self) -> BuildSource | None:
        triggers = {name: config for name, config in self._logs.items() if config.journal}
        if not triggers:
            return None
        from notifyd.sources.journal.options import JournalSourceOptions
        from notifyd.sources.journal.source import JournalSource

        context = self._context
        options = JournalSourceOptions(triggers, self._scanner, self._record_matcher, context.wall)
        return lambda checkpoints: JournalSource(
            options, checkpoints, executor=context.scan_executor
        )

    def _file(self) -> BuildSource | None:
        triggers = _of_type(self._configs, FileTriggerConfig)
        if not triggers:
            return None
        from notifyd.sources.files.source import FileSource

        debounce = min(self._triggers[name].shaping.debounce for name in triggers)
        context = self._context
        return lambda checkpoints: FileSource(
            triggers, checkpoints, wall=context.wall, excluded=context.own_paths, debounce=debounce
        )

    def _process(self) -> BuildSource | None:
        triggers = _of_type(self._configs, ProcessTriggerConfig)
        if not triggers:
            return None
        from notifyd.sources.processes.source import ProcessSource

        return lambda checkpoints: ProcessSource(
            triggers, checkpoints, wall=self._context.wall, boot_id=boot_id()
        )

    def _schedule(self) -> BuildSource | None:
        triggers = _of_type(self._configs, ScheduleTriggerConfig)
        if not triggers:
            return None
        from notifyd.sources.schedule.source import ScheduleSource

        return lambda checkpoints: ScheduleSource(triggers, checkpoints, wall=self._context.wall)

    def _command(self) -> BuildSource | None:
        triggers = _of_type(self._configs, CommandTriggerConfig)
        if not triggers:
            return None
        from notifyd.sources.probes.commands.source import CommandSource, CommandSourceOptions

        shapings = {name: self._triggers[name].shaping for name in triggers}
        options = CommandSourceOptions(triggers, shapings, self._context.wall)
        return lambda checkpoints: CommandSource(options, checkpoints)

    def _oblien(self) -> BuildSource | None:
        found = _of_type(self._configs, OblienTriggerConfig)
        triggers = {name: config for name, config in found.items() if config.get}
        if not triggers:
            return None
        from notifyd.sources.platform.source import PlatformSource, PlatformSourceOptions

        context, opener = self._context, self._context.open_fetcher
        shapings = {name: self._triggers[name].shaping for name in triggers}
        options = PlatformSourceOptions(
            triggers,
            {
                name: max(shaping.begin_after.times, shaping.end_after.times)
                for name, shaping in shapings.items()
            },
            self._settings.platform.rate,
            None if opener is None else partial(opener, self._settings.api.url),
            BUILT_IN_TRIGGER,
            context.wall,
        )
        return lambda checkpoints: PlatformSource(options, checkpoints)

    def _resource(self) -> BuildSource | None:
        triggers = _of_type(self._configs, ResourceTriggerConfig)
        if not triggers:
            return None
        from notifyd.sources.probes.resources.source import ResourceSource, ResourceSourceOptions

        shapings = {name: self._triggers[name].shaping for name in triggers}
        options = ResourceSourceOptions(
            triggers,
            {name: (shaping.begin_after, shaping.end_after) for name, shaping in shapings.items()},
            self._context.wall,
            boot_id(),
        )
        return lambda checkpoints: ResourceSource(options, checkpoints)

    def _unit(self) -> BuildSource | None:
        triggers = _of_type(self._configs, UnitTriggerConfig)
        if not triggers:
            return None
        from notifyd.sources.units.options import UnitSourceOptions
        from notifyd.sources.units.source import UnitSource

        shapings = {name: self._triggers[name].shaping for name in triggers}
        options = UnitSourceOptions(
            triggers,
            {name: shaping.resolve for name, shaping in shapings.items()},
            {
                name: max(shaping.begin_after.times, shaping.end_after.times)
                for name, shaping in shapings.items()
            },
            self._context.environ,
            os.geteuid(),
            boot_id(),
            self._context.wall,
        )
        return lambda checkpoints: UnitSource(options, checkpoints)

    def _scanner(self, names: tuple[str, ...]) -> Scanner:
        """Compile the patterns of these triggers into one scanner; runs on the scan thread."""
        pattern_sets = [pattern_set(name, self._logs[name]) for name in names]
        return Scanner(pattern_sets, cache=self._context.pattern_cache)

    def _record_matcher(self, name: str) -> RecordMatcher:
        return RecordMatcher(pattern_set(name, self._logs[name], records=True))


def pattern_set(name: str, config: LogTriggerConfig, *, records: bool = False) -> PatternSet:
    """Return the patterns of a trigger, for the lines of a log or for its complete records."""
    return PatternSet(
        trigger=name,
        patterns=tuple(config.patterns),
        exclude=tuple(config.exclude),
        encoding=config.encoding,
        max_line=config.max_line,
        first=None if records else config.multiline,
    )


def _of_type(configs: Mapping[str, TriggerConfig], kind: type[T]) -> dict[str, T]:
    return {name: config for name, config in configs.items() if isinstance(config, kind)}
