"""Reads what is to be read, block by block, and gathers the events: on the scanning thread."""

from collections.abc import Mapping
from dataclasses import dataclass
from os.path import isdir

from notifyd.model.events import CheckpointUpdates, Event
from notifyd.model.health import Problem
from notifyd.sources.logs.aggregators import AggregatorSet, event
from notifyd.sources.logs.discovery.access import UnreadableFileError, unreadable
from notifyd.sources.logs.discovery.inotify import FsHints
from notifyd.sources.logs.discovery.mounts import Mounts
from notifyd.sources.logs.discovery.path_scanner import PathScanner, ScanResult
from notifyd.sources.logs.options import LogSourceOptions
from notifyd.sources.logs.prospector import Prospector
from notifyd.sources.logs.reading.buffer import Chunk, new_buffer
from notifyd.sources.logs.reading.descriptor_pool import DescriptorPool, FileReplacedError
from notifyd.sources.logs.reading.device_migration import remap_devices
from notifyd.sources.logs.reading.log_reader import LogReader
from notifyd.sources.logs.reading.partial_lines import PartialLineTimer
from notifyd.sources.logs.reading.reader_set import ReaderSet
from notifyd.sources.logs.reading.registry import Registry
from notifyd.sources.records.record_matchers import timed_out_problems
from notifyd.sources.records.scanning import ScannerLike
from notifyd.sources.records.staleness import StalenessTimer

_EVENTS = 500
_ROOM = 16 << 20
_EVENT_OVERHEAD = 200
_BLOCKS = 16
_FLUSH = 1.0
_LATE_WRITERS = 1.0
_AGAIN = 10.0
"""Seconds after which what cannot be read is looked at again, for nobody tells when it may be."""
_AGAIN_AT_ONCE = 1000
"""So many of them at most in that time on average."""


@dataclass(frozen=True, slots=True)
class LogBatch:
    """What one turn brought.

    more: there is more to read at once. wake: monotonic time of the next turn, hint or no hint.
    surveyed: everything was looked at. polled: why hints may be missing.
    watched: the directories to be watched, for all changes or for names that appear; None if they
    are the same as before.
    """

    events: tuple[Event, ...]
    checkpoints: CheckpointUpdates
    more: bool
    wake_at: float | None
    watch_dirs: tuple[set[str], set[str]] | None
    open_readers: int
    problems: tuple[Problem, ...]
    missing_paths: tuple[str, ...]
    timed_out: Mapping[str, int]
    scanned_all: bool
    polling_reason: str


class Tailer:
    """One turn at a time. Goes on where the positions say, and remembers nothing else."""

    def __init__(self, brief: LogSourceOptions, positions: Mapping[str, str]) -> None:
        triggers = brief.triggers
        patterns = {name: trigger.paths for name, trigger in triggers.items()}
        self._catalog = PathScanner(patterns, brief.excluded_dirs)
        pairs = [(name, pattern) for name, paths in patterns.items() for pattern in paths]
        self._handles = DescriptorPool(brief.max_descriptors)
        moved = remap_devices(positions, self._handles)
        now = {text: value for text, value in {**positions, **moved}.items() if value is not None}
        ledger = Registry(pairs, now)
        ledger.apply(moved)
        self._tails = ReaderSet(ledger, triggers, self._handles)
        self._roster = Prospector(triggers, self._catalog, self._tails)
        self._carries = AggregatorSet(
            triggers, now, record_matcher_for=brief.record_matcher_for, tails=self._tails
        )
        self._partials, self._silence = PartialLineTimer(triggers), StalenessTimer(triggers)
        self._scanner_for, self._wall = brief.scanner_for, brief.wall
        self._scanners: dict[tuple[str, ...], ScannerLike] = {}
        self._buffer = new_buffer()
        self._found = ScanResult()
        self._polled = ""
        self._unsaved: float | None = None
        self._late = 0.0
        self._again: float | None = None

    def poll(self, hints: FsHints, now: float) -> LogBatch:
        """Follow the hints, then read for a bounded while. now: monotonic seconds."""
        tails = self._tails
        tails.begin_poll(now, self._wall())
        self._silence.begin_poll(now)
        self._follow(hints)
        again = self._look_again(now)
        self._roster.resolver.settle()
        if tails.queue.has_draining and now >= self._late:
            self._late = now + _LATE_WRITERS
            tails.queue.schedule_draining()
        self._carries.schedule_idle(now)
        events = self._read()
        events += self._carries.flush(now) + self._unfinished()
        events += self._silence.evaluate(events, now, tails.wall, has_more=bool(tails.queue))
        self._roster.resolver.retire()
        self._roster.resolver.settle()  # what came out is committed with what it came of
        self._plan_again(now)
        if self._unsaved is None and (tails.registry.has_changes or self._carries.has_changes):
            self._unsaved = now
        overdue = self._unsaved is not None and now >= self._unsaved + _FLUSH
        positions: CheckpointUpdates = {}
        if events or tails.registry.is_urgent or overdue:
            positions, self._unsaved = (
                tails.registry.take_changes() | self._carries.take_changes(),
                None,
            )
        return LogBatch(
            tuple(events),
            positions,
            more=bool(tails.queue),
            wake_at=self._wake(),
            watch_dirs=self._watched() if again or hints.names else None,
            open_readers=len(tails),
            problems=self._problems(),
            missing_paths=tuple(self._catalog.unmet(self._found)),
            timed_out=self._undecided(),
            scanned_all=hints.all,
            polling_reason=self._polled,
        )

    def close(self) -> None:
        self._tails.close()

    def _wake(self) -> float | None:
        tails = self._tails
        times = [self._carries.next_flush(), self._silence.next_poll()]
        times += [self._partials.next_due(tail) for tail in self._partials.readers(tails)]
        if tails.queue.has_draining:
            times.append(self._late)
        times.append(self._again)
        if self._unsaved is not None:
            times.append(self._unsaved + _FLUSH)
        return min((time for time in times if time is not None), default=None)

    def _look_again(self, now: float) -> bool:
        """Look, when it is time, at what could not be read; says whether it did."""
        if self._again is None or now < self._again:
            return False
        self._again = None
        if opened := self._found.reopened():
            self._follow(FsHints(folders=opened))
        for path in sorted(self._roster.problems):
            self._roster.check_path(path)
        return True

    def _plan_again(self, now: float) -> None:
        wrong = len(self._roster.problems) + sum(map(len, self._found.closed.values()))
        if not wrong:
            self._again = None
        elif self._again is None:
            self._again = now + _AGAIN * max(1.0, wrong / _AGAIN_AT_ONCE)

    def _watched(self) -> tuple[set[str], set[str]]:
        return self._found.directories | self._roster.path_table.folders, self._found.awaited

    def _follow(self, hints: FsHints) -> None:
        roster = self._roster
        if hints.all:
            before, self._found = self._found, self._catalog.survey()
            self._found.met.update(before.met)  # what was there once is not awaited
            roster.scan(self._found.paths)
            self._carries.forget_unused()
            mounts = Mounts()
            self._polled = next(filter(None, map(mounts.shared, self._found.directories)), "")
            return
        folders = hints.folders | {path for path in hints.changed if isdir(path)}  # noqa: PTH112
        if folders:
            found = self._catalog.survey(near=folders)
            self._found = self._found.joined(found)
            below = {name for folder in folders for name in roster.path_table.below(folder)}
            for path in sorted(found.paths | below):
                roster.check_path(path)
        for path in hints.changed:
            roster.on_appeared(path)
        for path in hints.changed | folders:
            for name in sorted(roster.path_table.concerned(path)):
                known = roster.path_table.get(name) is not None or name in roster.problems
                if known or not self._catalog.is_passed_over(name):
                    roster.check_path(name)
        self._catalog.meet(self._found, hints.changed)
        for path in hints.written:
            roster.on_written(path)

    def _read(self) -> list[Event]:
        """Read block by block in turns; what has lost its name goes first and to its end."""
        waiting = self._tails.queue
        events: list[Event] = []
        room, blocks = _ROOM, _BLOCKS
        self._carries.record_matchers.reset_time_limits()
        late = self._carries.record_matchers.timed_out
        while waiting and blocks > 0 and room > 0 and len(events) < _EVENTS:
            key = waiting.next
            tail = self._tails[key]
            piece = self._next(tail)
            if not self._tails.is_current(tail):
                continue  # it is another file by now
            if (lost := tail.take_lost_checkpoint()) is not None:
                self._roster.resolver.truncated(tail, lost)
                continue  # what a copy holds comes before what was written since
            if piece is None:
                waiting.unschedule(key)
                self._partials.observe(tail, self._tails.now)
                if tail.is_catch_up_done:
                    events += self._carries.finish(tail)
                    self._tails.close_and_forget(tail)
                continue
            blocks -= 1 if self._carries.record_matchers.timed_out == late else _BLOCKS
            new = self._scanned(tail, piece, limit=_EVENTS - len(events), room=room)
            events += new
            room -= sum(len(event.line) + _EVENT_OVERHEAD for event in new)
            self._tails.save_checkpoint(tail)
            if waiting.is_draining(key):
                self._tails.drain(tail)
            else:
                waiting.requeue(key)
        return events

    def _next(self, tail: LogReader) -> Chunk | None:
        """Read what comes next in a file, unless it is a copy or cannot be read just now."""
        try:
            return None if self._roster.resolver.copies.withhold(tail) else tail.read(self._buffer)
        except FileReplacedError:
            self._tails.queue.unschedule(tail.key)
            self._roster.on_replaced(tail)
        except UnreadableFileError as refusal:
            self._roster.problems[tail.path] = str(refusal)
        except OSError as error:
            self._roster.problems[tail.path] = unreadable(tail.path, error)
        return None

    def _scanned(self, tail: LogReader, piece: Chunk, *, limit: int, room: int) -> list[Event]:
        scan = self._scanner(tail).scan(
            self._buffer, piece.start, piece.end, limit=limit, room=room
        )
        wall = self._wall()
        carried = self._carries.triggers_of(tail)
        events = [
            event(hit, wall, tail.path)
            for hit in scan.hits
            if hit.trigger not in carried
            and piece.base + hit.offset >= tail.start_offsets[hit.trigger]
        ]
        for trigger in carried:
            hits = [hit for hit in scan.hits if hit.trigger == trigger]
            done = piece._replace(end=scan.end)
            events += self._carries.feed(trigger, tail, self._buffer, done, hits)
        tail.advance(self._buffer, piece, scan.end)
        for trigger in self._silence.triggers & tail.start_offsets.keys():
            self._silence.add_line(trigger, self._tails.now)
        return events

    def _scanner(self, tail: LogReader) -> ScannerLike:
        triggers = self._catalog.ordered(tail.start_offsets)
        if triggers not in self._scanners:
            self._scanners[triggers] = self._scanner_for(triggers)
        return self._scanners[triggers]

    def _unfinished(self) -> list[Event]:
        """Match last lines that lack their newline for too long."""
        events: list[Event] = []
        for tail in self._partials.readers(self._tails):
            if tail.key in self._tails.queue:
                continue
            if due := self._partials.due(tail, self._tails.now):
                events += self._counted(tail, due)
        return events

    def _counted(self, tail: LogReader, due: set[str]) -> list[Event]:
        """Match an unfinished line; for whom it matches, it does not count again once it ends."""
        if (piece := tail.read_partial_line(self._buffer)) is None:
            return []
        scan = self._scanner(tail).scan(
            self._buffer, piece.start, piece.end, limit=_EVENTS, room=_ROOM
        )
        hits = {hit.trigger: hit for hit in scan.hits}
        carried = self._carries.triggers_of(tail)
        events = []
        for trigger in self._catalog.ordered(due):
            hit = hits.get(trigger)
            if trigger in carried:
                new = self._carries.feed_partial_line(trigger, tail, self._buffer, piece, hit)
            else:
                new = [event(hit, self._wall(), tail.path)] if hit else []
            if new:
                tail.start_offsets[trigger] = piece.base + piece.end
                self._tails.save_checkpoint(tail, urgent=True)
            events += new
        return events

    def _undecided(self) -> Mapping[str, int]:
        late = self._carries.record_matchers.timed_out
        for scanner in self._scanners.values():
            late.update(scanner.timed_out)
        return late

    def _problems(self) -> tuple[Problem, ...]:
        scarce, files = self._handles.problem, {*self._roster.problems.values()}
        return (
            *([Problem("descriptors", scarce)] if scarce else []),
            *(Problem("folder", sentence) for sentence in sorted(self._found.problems)),
            *(Problem("file", sentence) for sentence in sorted(files)),
            *timed_out_problems(self._undecided()),
        )
