"""The resource source: one timer for all triggers, and events where a level changes."""

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from notifyd.config.triggers import ResourceTriggerConfig
from notifyd.model.events import Event, SourceBatch
from notifyd.model.health import Problem, SourceHealth
from notifyd.model.persistence import Persistence
from notifyd.sources.base import Emit
from notifyd.sources.probes.resources.disk import measure_disk, measure_inodes
from notifyd.sources.probes.resources.gpu import measure_gpu
from notifyd.sources.probes.resources.largest_directories import largest_directories
from notifyd.sources.probes.resources.largest_processes import largest_processes
from notifyd.sources.probes.resources.measurement import (
    KernelFiles,
    Measure,
    MeasureError,
    Measurement,
)
from notifyd.sources.probes.resources.measurement_runner import (
    MOST_SECONDS,
    MeasurementRunner,
)
from notifyd.sources.probes.resources.oom import (
    OomCount,
    count_kills,
    new_kills,
    oom_event,
    read_victims,
)
from notifyd.sources.probes.resources.system import (
    measure_load,
    measure_memory,
    measure_pressure,
    measure_swap,
)
from notifyd.sources.probes.resources.watch import ResourceWatch
from notifyd.sources.stored_values import CheckpointValueError, RefusedValues
from notifyd.sources.waiting import run_in_thread

_PRESSURE = "pressure-"


@dataclass(frozen=True, slots=True)
class ResourceSourceOptions:
    """triggers: by name. waits: `for` and `clear` of each. boot_id: of the running kernel.

    files: where the kernel's files are. timeout: seconds after which a measurement hangs.
    """

    triggers: Mapping[str, ResourceTriggerConfig]
    waits: Mapping[str, tuple[Persistence, Persistence]]
    wall: Callable[[], float]
    boot_id: str
    files: KernelFiles = field(default_factory=KernelFiles)
    timeout: float = MOST_SECONDS


class ResourceSource:
    """All resource triggers.

    checkpoints: `resource:<trigger>` stores the count of an `oom` trigger. Nothing else is stored:
    the fold knows which levels were reported.
    """

    name = "resource"

    def __init__(self, options: ResourceSourceOptions, checkpoints: Mapping[str, str]) -> None:
        self._options, self._files = options, options.files
        self._ooms = {name for name, config in options.triggers.items() if config.resource == "oom"}
        self._watches = {
            name: ResourceWatch(
                name,
                config,
                begin_after=options.waits[name][0],
                end_after=options.waits[name][1],
            )
            for name, config in options.triggers.items()
            if name not in self._ooms
        }
        measures = {
            name: _measure_of(options.triggers[name], options.files) for name in self._watches
        }
        self._runner = MeasurementRunner(measures, timeout=options.timeout)
        self._refused = RefusedValues(self.name)
        self._counts: dict[str, OomCount] = {}
        for name in sorted(self._ooms):
            self._restore(name, checkpoints.get(_key(name)))
        self._obsolete_keys = checkpoints.keys() - set(map(_key, self._ooms))
        self._errors: dict[str, str] = {}
        """Why a resource cannot be measured, by trigger."""

    def _restore(self, name: str, stored: str | None) -> None:
        if stored is None:
            return
        try:
            self._counts[name] = OomCount.decode(stored)
        except CheckpointValueError as error:
            consequence = "processes that were killed since then are not reported"
            self._refused.add(_key(name), f"count of trigger {name}", error, consequence)

    def health(self) -> SourceHealth:
        problems = [
            Problem("resource", f"{name}: {message}", subject=name)
            for name, message in sorted(self._errors.items())
        ]
        watching = len(self._options.triggers) - len(self._errors)
        return SourceHealth(self.name, watching, (*problems, *self._refused.problems))

    async def run(self, emit: Emit) -> None:
        """Measure until cancelled. All triggers are due together at the start."""
        loop = asyncio.get_running_loop()
        obsolete = dict.fromkeys(self._obsolete_keys)
        started, is_first = loop.time(), True
        due = set(self._options.triggers)
        while True:
            errors = dict(self._errors)
            events, stored = await self._measure(due)
            if events or stored or is_first or errors != self._errors:
                await emit(SourceBatch(tuple(events), (obsolete if is_first else {}) | stored))
                self._refused.log()
                is_first = False
            passed = loop.time() - started
            times = {
                name: _next_time(config.every, passed)
                for name, config in self._options.triggers.items()
            }
            at = min(times.values())
            due = {name for name, time in times.items() if time <= at}
            await asyncio.sleep(max(0.0, started + at - loop.time()))

    async def _measure(self, due: set[str]) -> tuple[list[Event], dict[str, str | None]]:
        """Measure what is due; return the events, and what is to be stored."""
        events: list[Event] = []
        results = await self._runner.measure(sorted(due - self._ooms))
        for name, result in results.items():
            if isinstance(result, MeasureError):
                self._errors[name] = str(result)
                continue
            self._errors.pop(name, None)
            event = await self._evaluate(self._watches[name], result)
            events += [event] if event is not None else []
        stored: dict[str, str | None] = {}
        for name in sorted(due & self._ooms):
            event, value = await self._count(name)
            events += [event] if event is not None else []
            stored |= value
        return events, stored

    async def _evaluate(self, watch: ResourceWatch, measured: Measurement) -> Event | None:
        made = watch.evaluate(measured, self._options.wall())
        if made is None or not made.wants_consumers:
            return made.event if made is not None else None
        return await self._with_consumers(made.event, watch.config)

    async def _with_consumers(self, event: Event, config: ResourceTriggerConfig) -> Event:
        """Add the largest consumers to what comes after the line."""
        find = partial(_find_consumers, config, self._files)
        try:
            consumers = await run_in_thread(find, self._options.timeout)
        except TimeoutError:
            consumers = []
        after = [*consumers, event.facts["after"]] if "after" in event.facts else consumers
        return event._replace(facts={**event.facts, "after": "\n".join(after)})

    async def _count(self, name: str) -> tuple[Event | None, dict[str, str]]:
        """Read the count of kills; return the event of new ones, and the count if it is another."""
        try:
            count = count_kills(self._files, self._options.boot_id)
        except MeasureError as error:
            self._errors[name] = str(error)
            return None, {}
        self._errors.pop(name, None)
        known = self._counts.get(name)
        if count == known:
            return None, {}
        self._counts[name] = count
        stored = {_key(name): count.encode()}
        killed = new_kills(count, known)
        if not killed:
            return None, stored
        find = partial(read_victims, self._files, killed)
        try:
            victims = await run_in_thread(find, self._options.timeout)
        except TimeoutError:
            victims = []
        event = oom_event(name, killed, victims, self._options.wall())
        return await self._with_consumers(event, self._options.triggers[name]), stored


def _measure_of(config: ResourceTriggerConfig, files: KernelFiles) -> Measure:
    path = config.path or Path("/")
    match config.resource:
        case "disk":
            return partial(measure_disk, path)
        case "inodes":
            return partial(measure_inodes, path)
        case "memory":
            return partial(measure_memory, files)
        case "swap":
            return partial(measure_swap, files)
        case "load":
            return partial(measure_load, files)
        case kind if kind.startswith(_PRESSURE):
            return partial(measure_pressure, files, kind.removeprefix(_PRESSURE))
    return partial(measure_gpu, config)


def _find_consumers(config: ResourceTriggerConfig, files: KernelFiles) -> list[str]:
    if config.path is not None:
        return largest_directories(config.path, count=config.resource == "inodes")
    return largest_processes(files, config.resource)


def _next_time(every: float, passed: float) -> float:
    """Return the next multiple of an interval, so that triggers of one interval share a wake-up."""
    return (math.floor(passed / every + 1e-6) + 1) * every


def _key(trigger: str) -> str:
    return f"resource:{trigger}"
