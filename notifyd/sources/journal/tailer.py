"""One reader of the journal: scans what journalctl writes, on the scanning thread."""

import os
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from notifyd.model.events import CheckpointUpdates, Event
from notifyd.sources.journal.aggregators import StreamAggregators
from notifyd.sources.journal.batch_scan import MAX_ENTRIES, MAX_EVENTS, BatchScanner
from notifyd.sources.journal.cursor import Cursor
from notifyd.sources.journal.entry import JournalEntry
from notifyd.sources.journal.entry_stream import EntryStream
from notifyd.sources.journal.options import JournalSourceOptions
from notifyd.sources.journal.registry import MAIN_READER, STALLED, CatchUp, JournalRegistry
from notifyd.sources.journal.subscriptions import Subscriptions
from notifyd.sources.journal.units import journalctl_matches
from notifyd.sources.records.aggregator import SURPLUS
from notifyd.sources.records.progress import ProgressTimer
from notifyd.sources.records.staleness import StalenessTimer

_COMMIT_DELAY: Final = 1.0
"""Seconds after which a cursor is committed though nothing matched."""
_OPEN_TIME: Final = 5.0
"""Seconds in which journalctl opens the journal: before that, its silence means nothing."""


@dataclass(frozen=True, slots=True)
class JournalBatch:
    """The result of one poll.

    more: poll again at once. wake_at: monotonic time of the next poll, even if nothing arrives.
    end_reason: why no more entries come, empty if all were read; None while they do.
    """

    events: tuple[Event, ...]
    checkpoints: CheckpointUpdates
    more: bool
    wake_at: float | None
    end_reason: str | None


class JournalTailer:
    """key: of a catch-up reader in the registry, or MAIN_READER, which follows and never ends."""

    def __init__(
        self,
        options: JournalSourceOptions,
        checkpoints: Mapping[str, str],
        registry: JournalRegistry,
        key: str,
    ) -> None:
        self._key, self._registry, self._wall = key, registry, options.wall
        self._catch_up: CatchUp | None = None
        self._cursor = registry.cursor or Cursor()
        self._staleness: StalenessTimer | None = None
        stored = checkpoints if key == MAIN_READER else {}
        self._progress = ProgressTimer(
            options.triggers, stored, prefix=STALLED, refused=registry.refused
        )
        if key == MAIN_READER:
            self._staleness = StalenessTimer(options.triggers)
        else:
            self._catch_up = registry.catch_ups[key]
            self._cursor, trigger = self._catch_up.cursor, self._catch_up.trigger
            options = replace(options, triggers={trigger: options.triggers[trigger]})
        self._aggregators = StreamAggregators(
            options, checkpoints, reader_id=key.rpartition(":")[2], refused=registry.refused
        )
        self._scanner = BatchScanner(
            self._aggregators, self._staleness, options.scanner_for, self._entry_time
        )
        self._subscriptions = Subscriptions(options.triggers, registry, self._catch_up)
        self._stream = EntryStream(
            options.command,
            self._cursor,
            journalctl_matches(self._subscriptions.patterns, os.geteuid()),
            follow=self._catch_up is None,
            max_message=max(t.max_line for t in options.triggers.values()) + SURPLUS,
            identity=options.identity,
        )
        self._entries: deque[JournalEntry] = deque()
        """Read, but not scanned yet."""
        self._started_at: float | None = None
        self._read_at: float | None = None
        """When journalctl wrote last."""
        self._unsaved_since: float | None = None
        self._cursor_moved = False
        self._idle_since = 0.0
        """When the cursor moved last, or was last offered to be advanced."""
        self._advance_to: Cursor | None = None
        """Where the cursor moves once all entries that were read are scanned."""
        self._reached_end = False
        """Whether a catch-up reader has reached the start of the main reader."""

    def close(self) -> None:
        self._stream.close()

    def abort(self) -> None:
        """End journalctl because nothing can be committed. May be called from another thread."""
        self._stream.abort()

    @property
    def descriptor(self) -> int:
        """Readable when a poll has something to do."""
        return self._stream.descriptor

    @property
    def matches(self) -> Sequence[str]:
        """The matches that journalctl was given."""
        return self._stream.matches

    @property
    def is_following(self) -> bool:
        """Whether all entries that existed at the start have been read."""
        return self._stream.is_following

    @property
    def has_routed(self) -> bool:
        """Whether any entry was for a trigger, matching or not."""
        return self._scanner.has_routed

    @property
    def timed_out(self) -> Counter[str]:
        return self._aggregators.record_matchers.timed_out

    def idle_cursor(self, now: float, min_idle: float) -> Cursor | None:
        """Return the cursor if all is scanned and it has not moved for `min_idle` seconds."""
        if not self.is_following or self._entries or now < self._idle_since + min_idle:
            return None
        self._idle_since = now
        return self._cursor

    def advance_to(self, tail: Cursor) -> None:
        """Move the cursor once all is scanned: no matching entry lies before `tail`."""
        self._advance_to = tail

    def poll(self, now: float) -> JournalBatch:
        """Read what has arrived, and scan a bounded part of it. now: monotonic seconds."""
        self._started_at = now if self._started_at is None else self._started_at
        if self._staleness is not None:
            self._staleness.begin_poll(now)
            self._progress.begin_poll(now)
        is_dry = len(self._entries) < MAX_EVENTS and not self._has_ended and self._read(now)
        events = self._scan(now)
        is_idle = not self._entries and (is_dry or self._has_ended)
        if is_idle and (self._read_at is not None or now > self._started_at + _OPEN_TIME):
            events += self._aggregators.flush_idle(now)
        if self._catch_up is not None and self._has_ended and not self._entries:
            events += self._finish_catch_up()
        if self._staleness is not None:
            events += self._staleness.evaluate(events, now, self._wall(), has_more=not is_idle)
        events = self._progress.take(events, now)
        if self._key == MAIN_READER:
            events += self._progress.evaluate(now, self._wall(), has_more=not is_idle)
        if is_idle and self._advance_to is not None:
            self._advance(self._advance_to)
        is_done = is_idle and self._has_ended
        return JournalBatch(
            tuple(events),
            self._due_checkpoints(now, at_once=bool(events) or is_done),
            more=not is_idle,
            wake_at=self._wake_at(now),
            end_reason=self._stream.end_reason if is_done else None,
        )

    @property
    def _has_ended(self) -> bool:
        return self._stream.end_reason is not None

    def _read(self, now: float) -> bool:
        """Read what journalctl has written; returns whether there is nothing more for now."""
        was_following = self.is_following
        entries = self._stream.read()
        if was_following != self.is_following:
            self._started_at, self._read_at, self._idle_since = now, None, now
            self.advance_to(self._registry.tail)
        elif entries is not None:
            self._read_at = now
        self._entries += self._own_entries(entries or ())
        return entries is None

    def _own_entries(self, entries: Sequence[JournalEntry]) -> Sequence[JournalEntry]:
        """Leave out the entries that the main reader reads, not this catch-up reader."""
        until = self._catch_up.until if self._catch_up else Cursor()
        if until.parsed is None:
            return entries
        own = [entry for entry in entries if not entry.cursor.is_after(until)]
        if len(own) < len(entries) and not self._reached_end:
            self._reached_end = True
            self._stream.stop()
        return own

    def _scan(self, now: float) -> list[Event]:
        entries = self._subscriptions.activate(list(islice(self._entries, MAX_ENTRIES)))
        if not entries:
            return []
        router = self._subscriptions.router
        count, events = self._scanner.scan(entries, router, now)
        for _ in range(count):
            entry = self._entries.popleft()
            if entry.suppressed is not None:
                route = router.route((entry.suppressed.unit,))
                triggers = route.entry_triggers + route.record_triggers
                self._registry.dropped.add(self._key, triggers, entry, self._wall())
        self._cursor, self._idle_since = entries[count - 1].cursor, now
        has_others = any(not entry.sender.is_own for entry in entries[:count])
        self._cursor_moved = self._cursor_moved or has_others
        return events

    def _advance(self, tail: Cursor) -> None:
        self._advance_to = None
        if tail.is_after(self._cursor):
            self._cursor = tail
        if self._cursor != self._registry.cursor:
            self._cursor_moved = True  # also past own entries, which alone cause no commit

    def _finish_catch_up(self) -> list[Event]:
        """End a catch-up reader: all later entries are the main reader's."""
        if self._stream.end_reason and not self._reached_end:
            return []
        self._stream.end_reason = ""
        self._catch_up = None
        return self._aggregators.flush_and_clear()

    def _due_checkpoints(self, now: float, *, at_once: bool) -> CheckpointUpdates:
        has_changes = (
            self._aggregators.has_changes
            or self._registry.has_changes
            or (self._key == MAIN_READER and self._progress.has_changes)
        )
        if self._unsaved_since is None and (self._cursor_moved or has_changes):
            self._unsaved_since = now
        is_due = self._unsaved_since is not None and now >= self._unsaved_since + _COMMIT_DELAY
        if not at_once and not is_due:
            return {}
        self._unsaved_since = None
        self._cursor_moved = False
        dropped = self._registry.dropped.take_changes(self._key)
        checkpoints = self._aggregators.take_changes() | dropped
        if self._key != MAIN_READER:
            catch_up = self._catch_up
            stored = catch_up._replace(cursor=self._cursor).encode() if catch_up else None
            return checkpoints | {self._key: stored}
        self._registry.move_to(self._cursor)
        return checkpoints | self._registry.take_changes() | self._progress.take_changes()

    def _wake_at(self, now: float) -> float | None:
        times = [self._aggregators.next_flush(now)]
        if self._staleness is not None:
            times += [self._staleness.next_poll(), self._progress.next_poll()]
        if self._unsaved_since is not None:
            times.append(self._unsaved_since + _COMMIT_DELAY)
        return min((time for time in times if time is not None), default=None)

    def _entry_time(self, entry: JournalEntry) -> float:
        return min(entry.cursor.realtime / 1e6, self._wall())
