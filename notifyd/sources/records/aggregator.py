"""What one trigger holds of earlier lines of a file, or of a unit's earlier entries.

That is the open record, and context remembered or owed. A fold over blocks of whole lines: however
the same bytes are cut into blocks, and whenever it goes on from its text, the same events come.
"""

import json
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Self

from notifyd.config.triggers import LogTriggerConfig
from notifyd.model.events import Event
from notifyd.sources.records.context import Context, Owed
from notifyd.sources.records.scanning import HitLike
from notifyd.sources.stored_values import StoredFields, StoredValueError

QUIET: Final = 1.0
"""Seconds without a line after which an open record ends and owed lines are not waited for."""

MORE: Final = 2
"""Bytes kept of a record beyond what patterns see: enough to know that it was cut."""

_OWED_ROW: Final = ("wall", "line", "path", "fields", "facts", "after")
"""Items of a stored event that waits for the lines after it."""

RecordCheck = Callable[[bytes], HitLike | None]
Maker = Callable[[HitLike], Event]


def holds(config: LogTriggerConfig) -> bool:
    """Whether a trigger looks beyond a line, so that something is held of earlier ones."""
    return config.multiline is not None or bool(config.before or config.after)


class Open(NamedTuple):
    """A record whose end has not come. raw: its bytes so far, as many as patterns see."""

    raw: bytes
    before: list[str]


class RecordAggregator:
    """path: under which name the file was met; empty for the journal."""

    def __init__(self, config: LogTriggerConfig, path: str) -> None:
        self.path = path
        self._records = config.multiline is not None
        self._most = config.max_line + MORE
        self._open: Open | None = None
        self._context = Context(config.before, config.after, config.encoding)

    @property
    def pending(self) -> bool:
        """Whether something is held that must be told even if no other line ever comes."""
        return self._open is not None or bool(self._context.owed)

    @property
    def empty(self) -> bool:
        return not (self.pending or self._context.previous)

    def feed(
        self,
        block: bytearray,
        start: int,
        end: int,
        hits: Sequence[HitLike],
        *,
        judge: RecordCheck,
        make: Maker,
    ) -> list[Event]:
        """Fold the whole lines between two indexes. hits: lines, or the first lines of records."""
        context = self._context
        context.serve(block, start, end)
        if self._records:
            self._cut(block, start, end, hits, judge=judge, make=make)
        else:
            for hit in hits:
                after = block.find(b"\n", hit.offset, end) + 1 or end
                before = context.preceding(block, start, hit.offset)
                context.add(make(hit), before, block, after, end)
        context.keep(block, start, end)
        return context.take()

    def flush(self, judge: RecordCheck, make: Maker) -> list[Event]:
        """Give what is held, as no line comes any more."""
        self._close(judge, make, bytearray(), 0, 0)
        return self._context.flush()

    def alone(
        self,
        block: bytearray,
        start: int,
        end: int,
        hit: HitLike | None,
        *,
        judge: RecordCheck,
        make: Maker,
    ) -> list[Event]:
        """Match what lies between two indexes by itself, as if nothing came any more."""
        if self._records:
            hit = judge(bytes(memoryview(block)[start:end]))
        if hit is None:
            return []
        events = self.flush(judge, make)
        self._context.add(make(hit), list(self._context.previous), block, end, end)
        return events + self._context.flush()

    def _cut(
        self,
        block: bytearray,
        start: int,
        end: int,
        hits: Sequence[HitLike],
        *,
        judge: RecordCheck,
        make: Maker,
    ) -> None:
        """Cut lines into records: each begins at a hit or where reading began.

        Those that cannot match are passed over; what goes on behind the end is always kept.
        """
        at, matters = start, True
        for stop, next_matters in (*((hit.offset, hit.pattern >= 0) for hit in hits), (end, True)):
            if stop > at and (matters or stop == end):
                self._extend(block, start, at, stop)
            if stop < end:
                self._close(judge, make, block, stop, end)
            at, matters = stop, next_matters

    def _extend(self, block: bytearray, start: int, at: int, stop: int) -> None:
        if self._open is None:
            self._open = Open(b"", self._context.preceding(block, start, at))
        raw, before = self._open
        if (room := self._most - len(raw)) > 0:
            self._open = Open(raw + bytes(memoryview(block)[at : min(stop, at + room)]), before)

    def _close(self, judge: RecordCheck, make: Maker, block: bytearray, at: int, end: int) -> None:
        if self._open is None:
            return
        (raw, before), self._open = self._open, None
        if (hit := judge(raw.removesuffix(b"\n"))) is not None:
            self._context.add(make(hit), before, block, at, end)

    def encode(self) -> str:
        """Encode the state, so that `decode` continues from it."""
        stored: dict[str, object] = {"path": self.path, "previous": self._context.previous}
        if self._open is not None:
            stored["open"] = [self._open.raw.decode("latin-1"), self._open.before]
        if self._context.owed:
            stored["owed"] = [
                [event.wall, event.line, event.path, event.fields, event.facts, after]
                for event, after in ((owed.event, owed.after) for owed in self._context.owed)
            ]
        return json.dumps(stored, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def decode(cls, config: LogTriggerConfig, trigger: str, text: str) -> Self:
        """Decode what `encode` returned; StoredValueError for anything else."""
        fields = StoredFields.decode(text)
        aggregator = cls(config, fields.text("path"))
        aggregator._context.previous = fields.texts("previous")
        if "open" in fields:
            record = fields.row("open", ("raw", "before"))
            aggregator._open = Open(_latin_1(record.text("raw")), record.texts("before"))
        if "owed" in fields:
            aggregator._context.owed = [
                _owed(trigger, row) for row in fields.rows("owed", _OWED_ROW)
            ]
        return aggregator


def _owed(trigger: str, row: StoredFields) -> Owed:
    event = Event(
        trigger,
        row.seconds("wall"),
        row.text("line"),
        row.text("path"),
        row.text_map("fields"),
        row.text_map("facts"),
    )
    return Owed(event, row.texts("after"))


def _latin_1(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise StoredValueError('"raw" must be bytes, one per character') from None
