"""What all triggers hold of all files' earlier bytes, and when it is told though nothing comes."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import NamedTuple

from notifyd.config.triggers import LogTriggerConfig
from notifyd.model.events import Event
from notifyd.sources.logs.checkpoint import FileId, parse_pending_record_key, pending_record_key
from notifyd.sources.logs.reading.buffer import Chunk
from notifyd.sources.logs.reading.log_reader import LogReader
from notifyd.sources.logs.reading.reader_set import ReaderSet
from notifyd.sources.records.aggregator import RECORD_TIMEOUT, RecordAggregator, needs_aggregator
from notifyd.sources.records.record_matchers import RecordMatchers
from notifyd.sources.records.scanning import HitLike, RecordMatcherFor
from notifyd.sources.stored_values import CheckpointValueError


class PendingRecord(NamedTuple):
    trigger: str
    key: FileId


class AggregatorSet:
    """One carry for each trigger and file; only those of triggers that look beyond a line."""

    def __init__(
        self,
        triggers: Mapping[str, LogTriggerConfig],
        positions: Mapping[str, str],
        *,
        record_matcher_for: RecordMatcherFor,
        tails: ReaderSet,
    ) -> None:
        self._triggers, self._readers = triggers, tails
        self._aggregating = {
            name for name, trigger in triggers.items() if needs_aggregator(trigger)
        }
        self.record_matchers = RecordMatchers(record_matcher_for)
        self._aggregators: dict[PendingRecord, RecordAggregator] = {}
        self._last_fed: dict[PendingRecord, float] = {}
        """When something came last for a carry that is pending, or that was so at the start."""
        self._changed: set[PendingRecord] = set()
        for text, value in positions.items():
            if (found := parse_pending_record_key(text)) is not None:
                self._restore(PendingRecord(*found), value)

    def _restore(self, held: PendingRecord, value: str) -> None:
        self._changed.add(held)
        if (config := self._triggers.get(held.trigger)) is not None:
            with suppress(CheckpointValueError):
                self._aggregators[held] = RecordAggregator.decode(config, held.trigger, value)

    @property
    def has_changes(self) -> bool:
        return bool(self._changed)

    def triggers_of(self, tail: LogReader) -> list[str]:
        """List the triggers of a file whose hits go through `feed`."""
        return (
            [name for name in tail.start_offsets if name in self._aggregating]
            if self._aggregating
            else []
        )

    def feed(
        self,
        trigger: str,
        tail: LogReader,
        block: bytearray,
        piece: Chunk,
        hits: Sequence[HitLike],
    ) -> list[Event]:
        """Fold what a trigger is given of a file next, up to `piece.end`."""
        held = PendingRecord(trigger, tail.key)
        since = tail.start_offsets[trigger]
        records = self._triggers[trigger].multiline is not None
        start = _first(block, piece, since, whole=records)
        if start >= piece.end:
            return []
        carry = self._aggregator(held, tail)
        events = carry.feed(
            block,
            start,
            piece.end,
            [hit for hit in hits if piece.base + hit.offset >= since],
            match_record=lambda record: self.record_matchers.match(trigger, record),
            make_event=lambda hit: event(hit, self._readers.wall, tail.path),
        )
        self._mark_fed(held)
        return events

    def feed_partial_line(
        self, trigger: str, tail: LogReader, block: bytearray, piece: Chunk, hit: HitLike | None
    ) -> list[Event]:
        """Match an unfinished line, which is not folded: it comes again when it is whole."""
        held = PendingRecord(trigger, tail.key)
        events = self._aggregator(held, tail).match_partial_line(
            block,
            piece.start,
            piece.end,
            hit,
            match_record=lambda record: self.record_matchers.match(trigger, record),
            make_event=lambda hit: event(hit, self._readers.wall, tail.path),
        )
        if events:
            self._mark_fed(held)
        return events

    def flush(self, now: float) -> list[Event]:
        """Give what is held of files of which nothing has come for a while."""
        events = []
        for held in self.idle(now):
            if held.key not in self._readers.queue:
                events += self._flush(held)
        return events

    def finish(self, tail: LogReader) -> list[Event]:
        """Give what is held of a file that is not read any more, and forget it."""
        events = []
        for held in [held for held in self._aggregators if held.key == tail.key]:
            events += self._flush(held)
            del self._aggregators[held]
        return events

    def idle(self, now: float) -> list[PendingRecord]:
        """List whose quiet while is over; of what was restored it begins now."""
        for held, carry in self._aggregators.items():
            if carry.is_pending:
                self._last_fed.setdefault(held, now)
        return [held for held, fed in self._last_fed.items() if fed + RECORD_TIMEOUT <= now]

    def schedule_idle(self, now: float) -> None:
        """Have files read once more before what is held of them is told."""
        for held in self.idle(now):
            if held.key in self._readers:
                self._readers.queue.schedule(held.key)

    def next_flush(self) -> float | None:
        """Tell when the next quiet while is over."""
        return min(self._last_fed.values()) + RECORD_TIMEOUT if self._last_fed else None

    def forget_unused(self) -> None:
        """Forget what belongs to files that nobody remembers."""
        for held, carry in list(self._aggregators.items()):
            if not (
                carry.is_pending or held.key in self._readers or held.key in self._readers.registry
            ):
                del self._aggregators[held]
                self._changed.add(held)

    def take_changes(self) -> dict[str, str | None]:
        """Hand over what is to be committed with the positions."""
        texts: dict[str, str | None] = {}
        for held in self._changed:
            carry = self._aggregators.get(held)
            texts[pending_record_key(*held)] = (
                None if carry is None or carry.is_empty else carry.encode()
            )
        self._changed.clear()
        return texts

    def _aggregator(self, held: PendingRecord, tail: LogReader) -> RecordAggregator:
        """Find a file's carry; a file that goes on where another ended takes over that one's."""
        if held not in self._aggregators:
            carry = RecordAggregator(self._triggers[held.trigger], tail.path)
            for other, known in self._aggregators.items():
                if known.path == tail.path and self._is_continuation(held, tail, other):
                    carry = self._aggregators.pop(other)
                    self._last_fed.pop(other, None)
                    self._changed.add(other)
                    break
            self._aggregators[held] = carry
        return self._aggregators[held]

    def _is_continuation(self, held: PendingRecord, tail: LogReader, other: PendingRecord) -> bool:
        """Whether a file begins where one of the same name was read to its end, or copies it."""
        if other.trigger != held.trigger or other.key.catch_up_trigger or held.key.catch_up_trigger:
            return False
        before = self._readers.get(other.key)
        if before is not None and before.offset == 0:  # truncated: its rest is in this copy
            return True
        return tail.offset == 0 and (before is None or before.is_caught_up)

    def _flush(self, held: PendingRecord) -> list[Event]:
        carry, trigger = self._aggregators[held], held.trigger
        events = carry.flush(
            lambda record: self.record_matchers.match(trigger, record),
            lambda hit: event(hit, self._readers.wall, carry.path),
        )
        self._mark_fed(held)
        return events

    def _mark_fed(self, held: PendingRecord) -> None:
        self._changed.add(held)
        if self._aggregators[held].is_pending:
            self._last_fed[held] = self._readers.now
        else:
            self._last_fed.pop(held, None)


def event(hit: HitLike, wall: float, path: str) -> Event:
    return Event(hit.trigger, wall, hit.line, path, hit.fields, _facts(hit.pattern))


@cache
def _facts(pattern: int) -> Mapping[str, str]:
    return {"pattern": str(pattern)}


def _first(block: bytearray, piece: Chunk, since: int, *, whole: bool) -> int:
    """Find the first line that ends after an offset of the file; if `whole`, that begins there."""
    at = since - piece.base
    if at <= piece.start:
        return piece.start
    if at >= piece.end:
        return piece.end
    if whole:
        return block.find(b"\n", at - 1, piece.end) + 1 or piece.end
    return block.rfind(b"\n", piece.start, at) + 1 or piece.start
