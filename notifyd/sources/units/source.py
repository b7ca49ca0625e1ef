"""The unit source: one connection to each bus that triggers need."""

import asyncio
from collections.abc import Mapping

from notifyd.model.events import SourceBatch
from notifyd.model.health import Problem, SourceHealth
from notifyd.sources.base import Emit
from notifyd.sources.units.events import UnitReporter
from notifyd.sources.units.manager_watcher import ManagerWatcher, WatchingTrigger
from notifyd.sources.units.options import UnitSourceOptions
from notifyd.sources.units.record import UnitTerms
from notifyd.sources.units.registry import UnitRegistry


class UnitSource:
    """checkpoints: what was reported of each unit, see `registry.py`."""

    name = "unit"

    def __init__(self, options: UnitSourceOptions, checkpoints: Mapping[str, str]) -> None:
        self._options = options
        self._terms = {
            name: UnitTerms(
                options.bus_of(name), tuple(config.units), tuple(config.on), options.boot
            )
            for name, config in options.triggers.items()
        }
        self._registry = UnitRegistry(self._terms, checkpoints)
        buses = sorted({terms.bus for terms in self._terms.values()})
        self._watchers = [self._watcher(bus) for bus in buses]

    def _watcher(self, bus: str) -> ManagerWatcher:
        options, registry = self._options, self._registry
        triggers = [
            WatchingTrigger(
                UnitReporter(
                    name, frozenset(terms.on), options.resolve[name], options.counts[name]
                ),
                terms,
                options.triggers[name].tail_lines,
                registry.armed.get(name),
            )
            for name, terms in self._terms.items()
            if terms.bus == bus
        ]
        records = {
            unit: record for (of_bus, unit), record in registry.records.items() if of_bus == bus
        }
        return ManagerWatcher(bus, triggers, records, options)

    def health(self) -> SourceHealth:
        problems = [
            Problem("bus", watcher.problem, subject=watcher.bus)
            for watcher in self._watchers
            if watcher.problem
        ]
        return SourceHealth(
            self.name,
            sum(watcher.unit_count for watcher in self._watchers),
            (*problems, *self._registry.refused.problems),
            missing_paths=tuple(unit for each in self._watchers for unit in each.missing_units),
        )

    async def run(self, emit: Emit) -> None:
        """Watch until cancelled. The first batch follows the first look at every bus."""
        queried = asyncio.Barrier(len(self._watchers) + 1)
        tasks = [asyncio.create_task(each.run(emit, queried)) for each in self._watchers]
        tasks.append(asyncio.create_task(self._tidy(emit, queried)))
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _tidy(self, emit: Emit, queried: asyncio.Barrier) -> None:
        """Delete what is of no use any more."""
        await queried.wait()
        if self._registry.obsolete_keys:
            await emit(SourceBatch((), dict.fromkeys(self._registry.obsolete_keys)))
        self._registry.refused.log()
