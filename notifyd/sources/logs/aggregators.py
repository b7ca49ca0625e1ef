"""What all triggers hold of all files' earlier bytes, and when it is told though nothing comes."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from notifyd.config.triggers import LogTriggerConfig
from notifyd.model.events import Event
from notifyd.sources.logs.checkpoint import FileId, carry_key, carry_of
from notifyd.sources.logs.reading.buffer import Chunk
from notifyd.sources.logs.reading.log_reader import LogReader
from notifyd.sources.logs.reading.reader_set import ReaderSet
from notifyd.sources.records.aggregator import QUIET, RecordAggregator, holds
from notifyd.sources.records.record_matchers import RecordMatchers
from notifyd.sources.records.scanning import HitLike, RecordMatcherFor


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
        judge_for: RecordMatcherFor,
        tails: ReaderSet,
    ) -> None:
        self._triggers, self._tails = triggers, tails
        self._wanted = {name for name, trigger in triggers.items() if holds(trigger)}
        self.judges = RecordMatchers(judge_for)
        self._carries: dict[PendingRecord, RecordAggregator] = {}
        self._fed: dict[PendingRecord, float] = {}
        """When something came last for a carry that is pending, or that was so at the start."""
        self._dirty: set[PendingRecord] = set()
        for text, value in positions.items():
            if (found := carry_of(text)) is not None:
                self._restore(PendingRecord(*found), value)

    def _restore(self, held: PendingRecord, value: str) -> None:
        config = self._triggers.get(held.trigger)
        carry = None if config is None else RecordAggregator.resume(config, held.trigger, value)
        self._dirty.add(held)
        if carry is not None:
            self._carries[held] = carry

    @property
    def dirty(self) -> bool:
        return bool(self._dirty)

    def wanted(self, tail: LogReader) -> list[str]:
        """List the triggers of a file whose hits go through `feed`."""
        return [name for name in tail.since if name in self._wanted] if self._wanted else []

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
        since = tail.since[trigger]
        records = self._triggers[trigger].multiline is not None
        start = _first(block, piece, since, whole=records)
        if start >= piece.end:
            return []
        carry = self._of(held, tail)
        events = carry.feed(
            block,
            start,
            piece.end,
            [hit for hit in hits if piece.base + hit.offset >= since],
            judge=lambda record: self.judges.judge(trigger, record),
            make=lambda hit: event(hit, self._tails.wall, tail.path),
        )
        self._note(held)
        return events

    def alone(
        self, trigger: str, tail: LogReader, block: bytearray, piece: Chunk, hit: HitLike | None
    ) -> list[Event]:
        """Match an unfinished line, which is not folded: it comes again when it is whole."""
        held = PendingRecord(trigger, tail.key)
        events = self._of(held, tail).alone(
            block,
            piece.start,
            piece.end,
            hit,
            judge=lambda record: self.judges.judge(trigger, record),
            make=lambda hit: event(hit, self._tails.wall, tail.path),
        )
        if events:
            self._note(held)
        return events

    def flush(self, now: float) -> list[Event]:
        """Give what is held of files of which nothing has come for a while."""
        events = []
        for held in self.due(now):
            if held.key not in self._tails.waiting:
                events += self._flushed(held)
        return events

    def finish(self, tail: LogReader) -> list[Event]:
        """Give what is held of a file that is not read any more, and forget it."""
        events = []
        for held in [held for held in self._carries if held.key == tail.key]:
            events += self._flushed(held)
            del self._carries[held]
        return events

    def due(self, now: float) -> list[PendingRecord]:
        """List whose quiet while is over; of what was restored it begins now."""
        for held, carry in self._carries.items():
            if carry.pending:
                self._fed.setdefault(held, now)
        return [held for held, fed in self._fed.items() if fed + QUIET <= now]

    def look(self, now: float) -> None:
        """Have files read once more before what is held of them is told."""
        for held in self.due(now):
            if held.key in self._tails.by_key:
                self._tails.waiting[held.key] = None

    def wake(self) -> float | None:
        """Tell when the next quiet while is over."""
        return min(self._fed.values()) + QUIET if self._fed else None

    def tidy(self) -> None:
        """Forget what belongs to files that nobody remembers."""
        stored = self._tails.ledger.stored
        for held, carry in list(self._carries.items()):
            if not (carry.pending or held.key in self._tails.by_key or held.key in stored):
                del self._carries[held]
                self._dirty.add(held)

    def take(self) -> dict[str, str | None]:
        """Hand over what is to be committed with the positions."""
        texts: dict[str, str | None] = {}
        for held in self._dirty:
            carry = self._carries.get(held)
            texts[carry_key(*held)] = None if carry is None or carry.empty else carry.text()
        self._dirty.clear()
        return texts

    def _of(self, held: PendingRecord, tail: LogReader) -> RecordAggregator:
        """Find a file's carry; a file that goes on where another ended takes over that one's."""
        if held not in self._carries:
            carry = RecordAggregator(self._triggers[held.trigger], tail.path)
            for other, known in self._carries.items():
                if known.path == tail.path and self._goes_on(held, tail, other):
                    carry = self._carries.pop(other)
                    self._fed.pop(other, None)
                    self._dirty.add(other)
                    break
            self._carries[held] = carry
        return self._carries[held]

    def _goes_on(self, held: PendingRecord, tail: LogReader, other: PendingRecord) -> bool:
        """Whether a file begins where one of the same name was read to its end, or copies it."""
        if other.trigger != held.trigger or other.key.lane or held.key.lane:
            return False
        before = self._tails.by_key.get(other.key)
        if before is not None and before.offset == 0:  # truncated: its rest is in this copy
            return True
        return tail.offset == 0 and (before is None or before.caught_up)

    def _flushed(self, held: PendingRecord) -> list[Event]:
        carry, trigger = self._carries[held], held.trigger
        events = carry.flush(
            lambda record: self.judges.judge(trigger, record),
            lambda hit: event(hit, self._tails.wall, carry.path),
        )
        self._note(held)
        return events

    def _note(self, held: PendingRecord) -> None:
        self._dirty.add(held)
        if self._carries[held].pending:
            self._fed[held] = self._tails.now
        else:
            self._fed.pop(held, None)


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
