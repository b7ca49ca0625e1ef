"""Watches the units of one manager for all triggers on its bus, and connects again if need be."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from math import inf
from typing import Final

from notifyd.model.events import CheckpointUpdates, Event, SourceBatch
from notifyd.sources.base import Emit
from notifyd.sources.units.bus import (
    BusError,
    ManagerConnection,
    ManagerReloaded,
    ManagerReplaced,
    ManagerSignal,
    StatusChanged,
    UnitUnloaded,
)
from notifyd.sources.units.events import UnitReporter
from notifyd.sources.units.log_lines import UnitLog
from notifyd.sources.units.options import USER, UnitSourceOptions, bus_address
from notifyd.sources.units.record import UnitRecord, UnitTerms
from notifyd.sources.units.registry import terms_key, unit_key
from notifyd.sources.units.status import NOT_FOUND, UnitStatus
from notifyd.sources.units.watch import Change, ChangeKind, UnitWatch

_JOURNALS_AT_ONCE: Final = 4
_MAGIC: Final = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class WatchingTrigger:
    """A trigger on one bus. armed_in: the boot in which it was last armed; None if it was not."""

    reporter: UnitReporter
    terms: UnitTerms
    log_lines: int
    armed_in: str | None

    def matches(self, unit: str) -> bool:
        return any(fnmatchcase(unit, pattern) for pattern in self.terms.units)

    def events(self, change: Change, wall: float, lines: Sequence[str]) -> list[Event]:
        """Return the events of a change. lines: the last ones of the unit's journal."""
        is_armed = self.armed_in is not None
        if change.was_reported and is_armed:
            return []
        if change.was_missed and not is_armed and not change.status.is_failed:
            return []
        kept = lines[len(lines) - min(self.log_lines, len(lines)) :]
        return self.reporter.events(change, wall, "\n".join(kept))


class ManagerWatcher:
    """bus: `system` or `user`. records: what is stored of units on it.

    problem: why nothing is watched; empty while connected. missing_units: those named by triggers
    that do not exist.
    """

    def __init__(
        self,
        bus: str,
        triggers: Sequence[WatchingTrigger],
        records: Mapping[str, UnitRecord],
        options: UnitSourceOptions,
    ) -> None:
        self.bus = bus
        self.problem = ""
        self.missing_units: tuple[str, ...] = ()
        self._triggers, self._options = triggers, options
        self._patterns = tuple(
            dict.fromkeys(pattern for each in triggers for pattern in each.terms.units)
        )
        self._named = tuple(each for each in self._patterns if not _MAGIC.intersection(each))
        self._needs_runs = any({"started", "stopped"} & set(each.terms.on) for each in triggers)
        self._stored = dict(records)
        self._watches: dict[str, UnitWatch] = {}
        self._has_queried = False
        self._log = UnitLog(options.journalctl, options.uid)

    @property
    def unit_count(self) -> int:
        """How many loaded units are watched."""
        known = {unit for unit, watch in self._watches.items() if not watch.is_unloaded}
        return len(known.union(self._named).difference(self.missing_units))

    async def run(self, emit: Emit, queried: asyncio.Barrier) -> None:
        """Watch until cancelled. queried: waited for after the first query, before its report."""
        failures = 0
        while True:
            try:
                address = bus_address(self.bus, self._options.environ, self._options.uid)
                units = self._named if len(self._named) == len(self._patterns) else None
                async with ManagerConnection.open(address, units) as connection:
                    await self._query_all(connection)
                    self.problem, failures = "", 0
                    await self._arrive(queried)
                    await self._report(emit, self._arm())
                    await self._follow(connection, emit)
            except BusError as error:
                self.problem = self._describe(error)
            await self._arrive(queried)
            await emit(SourceBatch((), {}))
            delays = self._options.reconnect_delays
            await asyncio.sleep(delays[min(failures, len(delays) - 1)])
            failures += 1

    async def _arrive(self, queried: asyncio.Barrier) -> None:
        if not self._has_queried:
            self._has_queried = True
            await queried.wait()

    def _describe(self, error: BusError) -> str:
        what = f"units cannot be watched: {error}"
        if self.bus == USER:
            return (
                f"{what}; start the user's systemd (loginctl enable-linger), "
                'or set bus = "system" in the unit triggers'
            )
        return f"{what}; install and start dbus and systemd on this machine"

    def _arm(self) -> CheckpointUpdates:
        return {terms_key(each.reporter.trigger): each.terms.encode() for each in self._triggers}

    async def _query_all(self, connection: ManagerConnection) -> None:
        """Query all units of the triggers: changes may have been missed."""
        loaded = await connection.units(self._patterns)
        stored = [unit for unit in self._stored if self._is_matched(unit)]
        units = dict.fromkeys([*loaded, *self._named, *self._watches, *stored])
        statuses = await connection.statuses(units)
        now = asyncio.get_running_loop().time()
        for status in statuses:
            watch = self._watches.get(status.unit)
            record = watch.record(self._options.boot) if watch else self._record(status)
            self._watches[status.unit] = UnitWatch(status, now, record)
        self._note_missing(statuses)

    async def _query_named(self, connection: ManagerConnection) -> None:
        """Query the units named by triggers, to learn which of them exist."""
        statuses = await connection.statuses(self._named)
        now = asyncio.get_running_loop().time()
        for status in statuses:
            if status.unit in self._watches:
                self._watches[status.unit].observe(status, now)
        self._note_missing(statuses)

    def _note_missing(self, statuses: Sequence[UnitStatus]) -> None:
        self.missing_units = tuple(
            status.unit
            for status in statuses
            if status.load == NOT_FOUND and status.unit in self._named
        )

    def _record(self, status: UnitStatus) -> UnitRecord | None:
        """Return what a unit's first status is compared with; None for nothing.

        Runs are compared within one boot only, or each boot would report every start.
        """
        boot = self._options.boot
        stored = self._stored.get(status.unit)
        if stored is None:
            armed = [each.armed_in for each in self._triggers if each.matches(status.unit)]
            if all(each is None for each in armed):
                return None
            stored = UnitRecord(boot if boot in armed else "")
        if stored.boot == boot:
            return stored
        invocation = stored.invocation if stored.has_failed else status.invocation
        return replace(stored, boot=boot, is_up=status.is_up, invocation=invocation, restarts=0)

    async def _follow(self, connection: ManagerConnection, emit: Emit) -> None:
        """Report changes until the connection ends."""
        loop = asyncio.get_running_loop()
        while True:
            deadline = min((each.deadline for each in self._watches.values()), default=inf)
            wait = None if deadline == inf else max(0.0, deadline - loop.time())
            signals = await connection.signals(wait)
            missing = self.missing_units
            for signal in signals:
                self._apply(signal, loop.time())
            if any(isinstance(signal, ManagerReplaced) for signal in signals):
                await self._query_all(connection)
            elif any(isinstance(signal, ManagerReloaded) for signal in signals):
                await self._query_named(connection)
            await self._report(emit, {}, is_forced=self.missing_units != missing)

    def _apply(self, signal: ManagerSignal, now: float) -> None:
        match signal:
            case StatusChanged(status=status):
                if not self._is_matched(status.unit):
                    return
                watch = self._watches.get(status.unit)
                if watch is None:
                    before = UnitStatus(status.unit, "inactive")
                    watch = UnitWatch(before, now, UnitRecord(self._options.boot))
                    self._watches[status.unit] = watch
                watch.observe(status, now)
                self.missing_units = tuple(
                    unit for unit in self.missing_units if unit != status.unit
                )
            case UnitUnloaded(unit=unit):
                if unit in self._watches:
                    self._watches[unit].unload(now)

    def _is_matched(self, unit: str) -> bool:
        return any(trigger.matches(unit) for trigger in self._triggers)

    async def _report(
        self, emit: Emit, checkpoints: CheckpointUpdates, *, is_forced: bool = False
    ) -> None:
        """Emit the changes that are due, with what is to be stored of their units."""
        now = asyncio.get_running_loop().time()
        changes = [
            change
            for watch in self._watches.values()
            if watch.deadline <= now
            for change in watch.take(now)
        ]
        events = await self._events(changes)
        events += self._quiet_ends() if checkpoints else []
        stored = self._retired_records() | self._changed_records()
        for unit, watch in list(self._watches.items()):
            if watch.is_unloaded and watch.deadline == inf and unit not in self._named:
                del self._watches[unit]
        if events or stored or checkpoints or is_forced:
            await emit(SourceBatch(tuple(events), {**checkpoints, **stored}))

    def _changed_records(self) -> dict[str, str | None]:
        """Return the checkpoints that differ from the stored ones, and take them as stored."""
        updates: dict[str, str | None] = {}
        for unit, watch in self._watches.items():
            record = watch.record(self._options.boot)
            if not (self._needs_runs or record.has_failed):
                record = replace(record, is_up=False, invocation="")
            if record.is_empty:
                if self._stored.pop(unit, None) is not None:
                    updates[unit_key(self.bus, unit)] = None
            elif self._stored.get(unit) != record:
                self._stored[unit] = record
                updates[unit_key(self.bus, unit)] = record.encode()
        return updates

    def _retired_records(self) -> dict[str, str | None]:
        """Delete the checkpoints of units that no trigger names any more."""
        retired = [unit for unit in self._stored if not self._is_matched(unit)]
        for unit in retired:
            del self._stored[unit]
        return {unit_key(self.bus, unit): None for unit in retired}

    async def _events(self, changes: Iterable[Change]) -> list[Event]:
        slots = asyncio.Semaphore(_JOURNALS_AT_ONCE)

        async def events_of(change: Change) -> list[Event]:
            watching = [each for each in self._triggers if each.matches(change.status.unit)]
            lines: list[str] = []
            if change.kind is ChangeKind.FAILED and not change.status.is_up:
                number = max((each.log_lines for each in watching), default=0)
                async with slots:
                    lines = await self._log.last_lines(change.status, number)
            wall = self._options.wall()
            return [event for each in watching for event in each.events(change, wall, lines)]

        found = await asyncio.gather(*map(events_of, changes))
        return [event for events in found for event in events]

    def _quiet_ends(self) -> list[Event]:
        """End the failures of units that a trigger no longer names."""
        wall = self._options.wall()
        failing = [unit for unit, record in self._stored.items() if record.is_failing]
        return [
            event
            for unit in failing
            for trigger in self._triggers
            if not trigger.matches(unit)
            for event in trigger.reporter.events(
                Change(ChangeKind.FORGOTTEN, UnitStatus(unit, "inactive")), wall
            )
        ]
