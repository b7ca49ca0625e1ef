"""Follows all log files in bounded polls, on the scanning thread."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from notifyd.model.events import CheckpointUpdates, Event
from notifyd.model.health import Problem
from notifyd.sources.logs.aggregators import AggregatorSet
from notifyd.sources.logs.checkpoint import STALLED, FileId
from notifyd.sources.logs.chunk_matcher import MOST_BYTES, ChunkMatcher
from notifyd.sources.logs.discovery.access import UnreadableFileError, explain_error
from notifyd.sources.logs.discovery.inotify import FsHints, WatchRequest
from notifyd.sources.logs.discovery.path_scanner import PathScanner
from notifyd.sources.logs.options import LogSourceOptions
from notifyd.sources.logs.path_monitor import PathMonitor
from notifyd.sources.logs.prospector import Prospector
from notifyd.sources.logs.reading.buffer import Chunk
from notifyd.sources.logs.reading.descriptor_pool import DescriptorPool, FileReplacedError
from notifyd.sources.logs.reading.device_migration import remap_devices
from notifyd.sources.logs.reading.log_reader import LogReader
from notifyd.sources.logs.reading.partial_lines import PartialLineTimer
from notifyd.sources.logs.reading.reader_set import ReaderSet
from notifyd.sources.logs.reading.registry import Registry
from notifyd.sources.logs.unfinished_progress import UnfinishedProgress
from notifyd.sources.records.progress import ProgressTimer
from notifyd.sources.records.record_matchers import timed_out_problems
from notifyd.sources.records.staleness import StalenessTimer
from notifyd.sources.stored_values import RefusedValues

_MOST_READ = 16 << 20
"""Bytes that a poll reads."""
_CHUNK_OVERHEAD = 64 << 10
"""Bytes that a chunk counts as beside its own."""
_MOST_READS = 256
"""How many files a poll looks into."""
_COMPARISONS_PER_READ = 8
"""With how many other files a new one is compared in the time that a look into a file takes."""
_EVENT_OVERHEAD = 200
"""Bytes that an event takes beside its line."""
_COMMIT_SECONDS = 1.0
"""How long changed checkpoints wait for events to be committed with."""
_DRAIN_INTERVAL = 1.0
"""Seconds between two reads of the files that drain."""


@dataclass(frozen=True, slots=True)
class LogBatch:
    """The result of one poll.

    more: there is more to read at once. wake_at: monotonic time of the next poll, with or without
    a hint. watches: what to watch; None if that is the same as before. watched_files: how many
    files with a configured path are read. scanned_all: all paths were checked. polling_reason: why
    hints may be missing; else empty.
    """

    events: tuple[Event, ...]
    checkpoints: CheckpointUpdates
    more: bool
    wake_at: float | None
    watches: WatchRequest | None
    watched_files: int
    problems: tuple[Problem, ...]
    missing_paths: tuple[str, ...]
    timed_out: Mapping[str, int]
    cut_lines: Mapping[str, int]
    unfinished_bytes: Mapping[str, int]
    scanned_all: bool
    polling_reason: str


class Tailer:
    """Follows the files of all triggers from their stored checkpoints.

    refused: stored values that are not usable. Closing releases all descriptors.
    """

    def __init__(self, options: LogSourceOptions, stored: Mapping[str, str]) -> None:
        triggers = options.triggers
        patterns = {name: trigger.paths for name, trigger in triggers.items()}
        pairs = [(name, pattern) for name, paths in patterns.items() for pattern in paths]
        self.refused = RefusedValues("log")
        self._wall, self._most_events = options.wall, options.most_events
        self._pool = DescriptorPool(options.max_descriptors)
        remapped = remap_devices(stored, self._pool)
        current = {key: value for key, value in {**stored, **remapped}.items() if value is not None}
        self._registry = Registry(pairs, current, self.refused)
        self._registry.apply(remapped)
        self._readers = ReaderSet(self._registry, triggers, self._pool)
        scanner = PathScanner(patterns, options.excluded_dirs)
        self._prospector = Prospector(triggers, scanner, self._readers)
        self._resolver = self._prospector.resolver
        self._paths = PathMonitor(scanner, self._prospector)
        self._aggregators = AggregatorSet(
            triggers,
            current,
            record_matcher_for=options.record_matcher_for,
            readers=self._readers,
            refused=self.refused,
        )
        self._partial_lines = PartialLineTimer(triggers)
        self._staleness = StalenessTimer(triggers)
        self._progress = ProgressTimer(triggers, current, prefix=STALLED, refused=self.refused)
        self._unfinished_progress = UnfinishedProgress(
            triggers, self._progress, self._aggregators.record_matchers.match
        )
        self._matcher = ChunkMatcher(
            options.scanner_for,
            scanner,
            self._readers,
            triggers,
            aggregators=self._aggregators,
            partial_lines=self._partial_lines,
            staleness=self._staleness,
        )
        self._unfinished: dict[FileId, int] = {}
        """How many bytes without an LF are at the end of a file, unless there are none."""
        self._changed_at: float | None = None
        self._drain_at = 0.0

    def close(self) -> None:
        self._readers.close()

    def poll(self, hints: FsHints, now: float) -> LogBatch:
        """Follow the hints, then read for a bounded time. now: monotonic seconds."""
        readers = self._readers
        readers.begin_poll(now, self._wall())
        self._staleness.begin_poll(now)
        self._progress.begin_poll(now)
        self._paths.follow(hints, now)
        if hints.all:
            self._aggregators.forget_unused()
        rechecked = self._paths.recheck(now)
        self._prospector.rewrites.schedule_rewritten()
        self._resolver.resolve()
        if readers.queue.has_draining and now >= self._drain_at:
            self._drain_at = now + _DRAIN_INTERVAL
            readers.queue.schedule_draining()
        self._aggregators.schedule_idle(now)
        events = self._read()
        events += self._aggregators.flush_idle(now)
        events += self._matcher.match_partial_lines()
        has_more = self._has_more
        events += self._staleness.evaluate(events, now, readers.wall, has_more=has_more)
        events = self._progress.take(events, now)
        self._unfinished_progress.look(readers, now)
        events += self._progress.evaluate(now, readers.wall, has_more=has_more)
        # What rotation handling finds is committed with the events that made it look.
        self._resolver.close_drained()
        self._resolver.resolve()
        self._paths.plan_recheck(now)
        is_changed = rechecked or hints.has_path_changes
        timed_out = self._matcher.timed_out
        return LogBatch(
            tuple(events),
            self._take_changes(now, has_events=bool(events)),
            more=self._has_more,
            wake_at=self._wake_at(),
            watches=self._paths.take_watch_request(recheck=hints.all) if is_changed else None,
            watched_files=readers.watched_files,
            problems=self._problems(timed_out),
            missing_paths=self._paths.missing_paths,
            timed_out=timed_out,
            cut_lines=dict(self._matcher.cut_lines),
            unfinished_bytes=self._unfinished_bytes(),
            scanned_all=hints.all,
            polling_reason=self._paths.polling_reason,
        )

    @property
    def _has_more(self) -> bool:
        """Whether there are files to read or to open at once."""
        return bool(self._readers.queue) or bool(self._prospector.new_paths)

    def _take_changes(self, now: float, *, has_events: bool) -> CheckpointUpdates:
        """Return the changes to commit: with events, when urgent, or after _COMMIT_SECONDS."""
        has_changes = (
            self._registry.has_changes
            or self._aggregators.has_changes
            or self._progress.has_changes
        )
        if self._changed_at is None and has_changes:
            self._changed_at = now
        is_due = self._changed_at is not None and now >= self._changed_at + _COMMIT_SECONDS
        if not (has_events or self._registry.is_urgent or is_due):
            return {}
        self._changed_at = None
        changes = self._registry.take_changes() | self._aggregators.take_changes()
        return changes | self._progress.take_changes()

    def _wake_at(self) -> float | None:
        times = [
            self._aggregators.next_flush(),
            self._staleness.next_poll(),
            self._progress.next_poll(),
            self._unfinished_progress.next_look(),
            self._paths.wake_at,
            self._prospector.rewrites.next_due,
            *map(self._partial_lines.next_due, self._partial_lines.readers(self._readers)),
        ]
        if self._readers.queue.has_draining:
            times.append(self._drain_at)
        if self._changed_at is not None:
            times.append(self._changed_at + _COMMIT_SECONDS)
        return min((time for time in times if time is not None), default=None)

    def _read(self) -> list[Event]:
        """Read the scheduled files chunk by chunk in turn, and those that drain to their end."""
        readers, queue = self._readers, self._readers.queue
        events: list[Event] = []
        room, unread, reads = MOST_BYTES, _MOST_READ, _MOST_READS
        record_matchers = self._aggregators.record_matchers
        record_matchers.reset_time_limits()
        timed_out = record_matchers.timed_out
        while queue and min(unread, reads, room) > 0 and len(events) < self._most_events:
            reader, compared = readers[queue.next], self._resolver.copies.comparisons
            chunk = self._read_chunk(reader)
            compared = self._resolver.copies.comparisons - compared
            reads -= 1 + compared // _COMPARISONS_PER_READ
            if not readers.is_current(reader):
                continue  # its path leads to another file
            if (lost := reader.take_lost_checkpoint()) is not None:
                self._resolver.on_truncated(reader, lost)
                continue  # a copy of what was lost is read before what is new
            if chunk is None and reader.is_interrupted:
                unread = 0  # other files, and a stop, do not wait for a line that does not end
                readers.save_checkpoint(reader)
                queue.requeue(reader.key)
                continue
            if chunk is None:
                events += self._end_of_file(reader)
                continue
            unread -= chunk.end - chunk.start + _CHUNK_OVERHEAD
            if record_matchers.timed_out != timed_out:
                unread = 0
            limit = self._most_events - len(events)
            new = self._matcher.match_chunk(reader, chunk, limit=limit, room=room)
            events += new
            room -= sum(len(event.line) + _EVENT_OVERHEAD for event in new)
            readers.save_checkpoint(reader)
            if queue.is_draining(reader.key):
                readers.drain(reader)
            else:
                queue.requeue(reader.key)
        return events

    def _read_chunk(self, reader: LogReader) -> Chunk | None:
        """Read the next chunk of a file, unless it is a copy or not readable at present."""
        try:
            if self._resolver.copies.withhold_if_copy(reader):
                return None
            return reader.read(self._matcher.buffer)
        except FileReplacedError:
            self._readers.queue.unschedule(reader.key)
            self._prospector.on_replaced(reader)
        except UnreadableFileError as error:
            self._prospector.add_problem(reader.path, str(error))
        except OSError as error:
            self._prospector.add_problem(reader.path, explain_error(reader.path, error))
        return None

    def _end_of_file(self, reader: LogReader) -> list[Event]:
        """Unschedule a file that was read to its end."""
        self._readers.queue.unschedule(reader.key)
        with suppress(OSError, UnreadableFileError):
            reader.mark_at_rest()
        self._partial_lines.observe(reader, self._readers.now)
        self._unfinished_progress.observe(reader)
        self._unfinished.pop(reader.key, None)
        if unfinished := reader.offset + reader.partial_line_len - reader.line_start:
            self._unfinished[reader.key] = unfinished
        if reader.has_grown():
            for trigger in self._staleness.triggers & reader.start_offsets.keys():
                self._staleness.record_activity(trigger, self._readers.now)
        if not reader.is_catch_up_done:
            return []
        events = self._aggregators.finish(reader)
        self._readers.close_and_forget(reader)
        return events

    def _unfinished_bytes(self) -> dict[str, int]:
        """Return the bytes of the longest unfinished line of each trigger."""
        longest: dict[str, int] = {}
        for key, size in list(self._unfinished.items()):
            reader = self._readers.get(key)
            if reader is None:
                del self._unfinished[key]
                continue
            for trigger in reader.start_offsets:
                longest[trigger] = max(size, longest.get(trigger, 0))
        return longest

    def _problems(self, timed_out: Mapping[str, int]) -> tuple[Problem, ...]:
        scarce = self._pool.problem
        return (
            *([Problem("descriptors", scarce)] if scarce else []),
            *self._paths.problems,
            *self._resolver.lost_generations.problems,
            *self._prospector.rewrites.problems,
            *timed_out_problems(timed_out),
            *self.refused.problems,
        )
