"""Reads what is to be read, block by block, and gathers the events: on the scanning thread."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os.path import isdir
from pathlib import Path
from typing import Protocol

from notifyd.config.triggers import LogTrigger
from notifyd.model import Event, Positions
from notifyd.sources.catalog import Catalog, Survey
from notifyd.sources.gate import unreadable
from notifyd.sources.ledger import Ledger
from notifyd.sources.mounts import Mounts
from notifyd.sources.roster import Roster
from notifyd.sources.tail import Piece, Tail, buffer
from notifyd.sources.tails import Tails
from notifyd.sources.watch import Hints

_EVENTS = 200
_ROOM = 16 << 20
_EVENT_OVERHEAD = 200
_BLOCKS = 16
_FLUSH = 1.0
_LATE_WRITERS = 1.0
_PROBLEMS = 20


class HitLike(Protocol):
    """offset: where the line begins in the block. pattern: the number of the one that matched."""

    @property
    def trigger(self) -> str: ...
    @property
    def offset(self) -> int: ...
    @property
    def line(self) -> str: ...
    @property
    def pattern(self) -> int: ...
    @property
    def fields(self) -> Mapping[str, str]: ...


class ScanLike(Protocol):
    """end: how far the block was scanned, behind a whole line."""

    @property
    def hits(self) -> Sequence[HitLike]: ...
    @property
    def end(self) -> int: ...


class ScannerLike(Protocol):
    """What finds the matching lines of whole blocks, until `limit` hits or `room` bytes of text."""

    @property
    def undecided(self) -> Mapping[str, int]: ...
    def scan(
        self, block: bytearray, start: int, end: int, *, limit: int, room: int
    ) -> ScanLike: ...


ScannerFor = Callable[[tuple[str, ...]], ScannerLike]
"""Makes the scanner for these triggers together; may take seconds."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one turn brought.

    more: there is more to read at once. wake: monotonic time of the next turn, hint or no hint.
    surveyed: everything was looked at. polled: why hints may be missing.
    watched: the directories to be watched, for all changes or for names that appear; None if they
    are the same as before.
    """

    events: tuple[Event, ...]
    positions: Positions
    more: bool
    wake: float | None
    watched: tuple[set[str], set[str]] | None
    watching: int
    problems: tuple[str, ...]
    surveyed: bool
    polled: str


class Follower:
    """One turn at a time. Goes on where the positions say, and remembers nothing else."""

    def __init__(
        self,
        triggers: Mapping[str, LogTrigger],
        positions: Mapping[str, str],
        *,
        scanner_for: ScannerFor,
        wall: Callable[[], float],
        never: tuple[Path, ...],
    ) -> None:
        patterns = {name: trigger.paths for name, trigger in triggers.items()}
        self._catalog = Catalog(patterns, never)
        pairs = [(name, pattern) for name, paths in patterns.items() for pattern in paths]
        self._tails = Tails(Ledger(pairs, positions), triggers)
        self._roster = Roster(triggers, self._catalog, self._tails)
        self._scanner_for, self._wall = scanner_for, wall
        self._scanners: dict[tuple[str, ...], ScannerLike] = {}
        self._buffer = buffer()
        self._found = Survey()
        self._polled = ""
        self._unsaved: float | None = None
        self._late = 0.0

    def turn(self, hints: Hints, now: float) -> Batch:
        """Follow the hints, then read for a bounded while. now: monotonic seconds."""
        tails = self._tails
        tails.now, tails.wall = now, self._wall()
        self._follow(hints)
        self._roster.generations.settle()
        if tails.lingering and now >= self._late:
            self._late = now + _LATE_WRITERS
            tails.waiting |= dict.fromkeys(tails.lingering)
        events = self._read()
        tails.expire()
        if self._unsaved is None and tails.ledger.news:
            self._unsaved = now
        overdue = self._unsaved is not None and now >= self._unsaved + _FLUSH
        positions: Positions = {}
        if events or tails.ledger.urgent or overdue:
            positions, self._unsaved = tails.ledger.take(), None
        times = [self._late] if tails.lingering else []
        if self._unsaved is not None:
            times.append(self._unsaved + _FLUSH)
        return Batch(
            tuple(events),
            positions,
            more=bool(tails.waiting),
            wake=min(times, default=None),
            watched=self._watched(hints),
            watching=len(tails.by_key),
            problems=self._problems(),
            surveyed=hints.all,
            polled=self._polled,
        )

    def close(self) -> None:
        self._tails.close()

    def _watched(self, hints: Hints) -> tuple[set[str], set[str]] | None:
        if not (hints.all or hints.folders or hints.changed):
            return None
        return self._found.directories | self._roster.names.folders, self._found.awaited

    def _follow(self, hints: Hints) -> None:
        roster = self._roster
        if hints.all:
            self._found = self._catalog.survey()
            roster.survey(self._found.paths)
            mounts = Mounts()
            self._polled = next(filter(None, map(mounts.shared, self._found.directories)), "")
            return
        folders = hints.folders | {path for path in hints.changed if isdir(path)}  # noqa: PTH112
        if folders:
            found = self._catalog.survey(near=folders)
            self._found = self._found.joined(found)
            below = {name for folder in folders for name in roster.names.below(folder)}
            for path in sorted(found.paths | below):
                roster.look(path)
        for path in hints.changed | folders:
            for name in sorted(roster.names.concerned(path)):
                roster.look(name)
        for path in hints.written:
            roster.written(path)

    def _read(self) -> list[Event]:
        """Read block by block in turns; what has lost its name goes first and to its end."""
        waiting = self._tails.waiting
        events: list[Event] = []
        room, blocks = _ROOM, _BLOCKS
        while waiting and blocks > 0 and room > 0 and len(events) < _EVENTS:
            key = next(iter(waiting))
            tail = self._tails.by_key[key]
            try:
                piece = tail.read(self._buffer)
            except OSError as error:
                self._roster.problems[tail.path] = unreadable(tail.path, error)
                piece = None
            if tail.lost is not None:
                self._roster.generations.truncated(tail, tail.lost)
                waiting = self._tails.waiting
            if piece is None:
                del waiting[key]
                if tail.finished:
                    self._tails.drop(tail)
                continue
            blocks -= 1
            new = self._scanned(tail, piece, limit=_EVENTS - len(events), room=room)
            events += new
            room -= sum(len(event.line) + _EVENT_OVERHEAD for event in new)
            self._tails.note(tail)
            if key in self._tails.lingering:
                self._tails.linger(tail)
                waiting = self._tails.waiting
            else:
                waiting[key] = waiting.pop(key)
        return events

    def _scanned(self, tail: Tail, piece: Piece, *, limit: int, room: int) -> list[Event]:
        triggers = self._catalog.ordered(tail.since)
        scanner = self._scanners.get(triggers)
        if scanner is None:
            scanner = self._scanners[triggers] = self._scanner_for(triggers)
        scan = scanner.scan(self._buffer, piece.start, piece.end, limit=limit, room=room)
        tail.advance(self._buffer, piece, scan.end)
        wall = self._wall()
        return [
            Event(
                hit.trigger,
                wall,
                hit.line,
                path=tail.path,
                fields=hit.fields,
                facts={"pattern": str(hit.pattern)},
            )
            for hit in scan.hits
            if piece.base + hit.offset >= tail.since[hit.trigger]
        ]

    def _problems(self) -> tuple[str, ...]:
        told = sorted({*self._found.problems, *self._roster.problems.values()})
        late: Counter[str] = Counter()
        for scanner in self._scanners.values():
            late.update(scanner.undecided)
        told += [
            f"{trigger}: {count} line{'s' * (count > 1)} could not be decided in time, "
            "because a pattern backtracks without end"
            for trigger, count in late.items()
            if count
        ]
        if len(told) > _PROBLEMS:
            told[_PROBLEMS:] = [f"and {len(told) - _PROBLEMS} more like these"]
        return tuple(told)
