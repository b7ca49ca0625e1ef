"""Aggregates the lines of one file, or of one unit's entries, into events for one trigger.

The state is the open record and the context lines. It is a fold over blocks of whole lines: the
same bytes give the same events however they are cut into blocks, and across `encode` and `decode`.
"""

import json
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Self

from notifyd.config.triggers import LogTriggerConfig
from notifyd.model.events import Event
from notifyd.sources.records.context import ContextLines, PendingEvent
from notifyd.sources.records.scanning import HitLike
from notifyd.sources.stored_values import StoredFields

RECORD_TIMEOUT: Final = 1.0
"""Seconds without a line after which an open record ends, and events stop waiting for lines."""

SURPLUS: Final = 2
"""Bytes kept of a record beyond what patterns see: enough to know that it was cut."""

_PENDING_ROW: Final = ("wall", "line", "path", "fields", "facts", "after")
"""The items of a stored pending event."""

MatchRecord = Callable[[bytes], HitLike | None]
MakeEvent = Callable[[HitLike], Event]


def needs_aggregator(config: LogTriggerConfig) -> bool:
    """Return whether events of a trigger depend on more than one line."""
    return config.multiline is not None or bool(config.before or config.after)


class OpenRecord(NamedTuple):
    """A record that may continue. raw: its bytes so far, as many as patterns see."""

    raw: bytes
    lines_before: list[str]


class RecordAggregator:
    """path: the name under which the file was found; empty for the journal."""

    def __init__(self, config: LogTriggerConfig, path: str) -> None:
        self.path = path
        self._has_records = config.multiline is not None
        self._max_record = config.max_line + SURPLUS
        self._open: OpenRecord | None = None
        self._context = ContextLines(config.before, config.after, config.encoding)

    @property
    def is_pending(self) -> bool:
        """Whether `flush` would match a record or return an event."""
        return self._open is not None or bool(self._context.pending_events)

    @property
    def is_empty(self) -> bool:
        return not (self.is_pending or self._context.recent_lines)

    def feed(
        self,
        block: bytearray,
        start: int,
        end: int,
        hits: Sequence[HitLike],
        *,
        match_record: MatchRecord,
        make_event: MakeEvent,
    ) -> list[Event]:
        """Add the whole lines between two offsets. hits: lines, or the first lines of records."""
        context = self._context
        context.extend_pending(block, start, end)
        if self._has_records:
            self._split_records(
                block, start, end, hits, match_record=match_record, make_event=make_event
            )
        else:
            for hit in hits:
                after = block.find(b"\n", hit.offset, end) + 1 or end
                lines_before = context.lines_before(block, start, hit.offset)
                context.add_event(make_event(hit), lines_before, block, after, end)
        context.remember_lines(block, start, end)
        return context.release_complete()

    def flush(self, match_record: MatchRecord, make_event: MakeEvent) -> list[Event]:
        """End the open record and return all pending events: no line is expected."""
        self._end_record(match_record, make_event, bytearray(), 0, 0)
        return self._context.release_all()

    def match_partial_line(
        self,
        block: bytearray,
        start: int,
        end: int,
        hit: HitLike | None,
        *,
        match_record: MatchRecord,
        make_event: MakeEvent,
    ) -> list[Event]:
        """Match an unfinished line by itself. A match flushes what was pending before it."""
        if self._has_records:
            hit = match_record(bytes(memoryview(block)[start:end]))
        if hit is None:
            return []
        events = self.flush(match_record, make_event)
        recent_lines = list(self._context.recent_lines)
        self._context.add_event(make_event(hit), recent_lines, block, end, end)
        return events + self._context.release_all()

    def _split_records(
        self,
        block: bytearray,
        start: int,
        end: int,
        hits: Sequence[HitLike],
        *,
        match_record: MatchRecord,
        make_event: MakeEvent,
    ) -> None:
        """Split lines into records: each begins at a hit, or where reading began.

        Records that cannot match are skipped. The last one stays open.
        """
        at, can_match = start, True
        starts = ((hit.offset, hit.pattern >= 0) for hit in hits)
        for stop, next_can_match in (*starts, (end, True)):
            if stop > at and (can_match or stop == end):
                self._extend_record(block, start, at, stop)
            if stop < end:
                self._end_record(match_record, make_event, block, stop, end)
            at, can_match = stop, next_can_match

    def _extend_record(self, block: bytearray, start: int, at: int, stop: int) -> None:
        if self._open is None:
            self._open = OpenRecord(b"", self._context.lines_before(block, start, at))
        raw, lines_before = self._open
        if (room := self._max_record - len(raw)) > 0:
            raw += bytes(memoryview(block)[at : min(stop, at + room)])
            self._open = OpenRecord(raw, lines_before)

    def _end_record(
        self,
        match_record: MatchRecord,
        make_event: MakeEvent,
        block: bytearray,
        at: int,
        end: int,
    ) -> None:
        if self._open is None:
            return
        (raw, lines_before), self._open = self._open, None
        if (hit := match_record(raw.removesuffix(b"\n"))) is not None:
            self._context.add_event(make_event(hit), lines_before, block, at, end)

    def encode(self) -> str:
        """Encode the state as JSON, to be continued after `decode`."""
        stored: dict[str, object] = {"path": self.path, "previous": self._context.recent_lines}
        if self._open is not None:
            stored["open"] = [self._open.raw.decode("latin-1"), self._open.lines_before]
        if self._context.pending_events:
            stored["owed"] = [_to_row(pending) for pending in self._context.pending_events]
        text = json.dumps(stored, separators=(",", ":"), ensure_ascii=False)
        # A path may contain bytes that are not UTF-8; in JSON, \udcXX is an escape.
        return text.encode("utf-8", "backslashreplace").decode()

    @classmethod
    def decode(cls, config: LogTriggerConfig, trigger: str, text: str) -> Self:
        """Decode what `encode` returned; CheckpointValueError for anything else."""
        fields = StoredFields.decode(text)
        aggregator = cls(config, fields.text("path"))
        aggregator._context.recent_lines = fields.texts("previous")
        if "open" in fields:
            record = fields.row("open", ("raw", "before"))
            raw, lines_before = record.latin_1("raw"), record.texts("before")
            aggregator._open = OpenRecord(raw, lines_before)
        if "owed" in fields:
            rows = fields.rows("owed", _PENDING_ROW)
            aggregator._context.pending_events = [_from_row(trigger, row) for row in rows]
        return aggregator


def _to_row(pending: PendingEvent) -> list[object]:
    event = pending.event
    return [event.wall, event.line, event.path, event.fields, event.facts, pending.lines_after]


def _from_row(trigger: str, row: StoredFields) -> PendingEvent:
    event = Event(
        trigger,
        row.seconds("wall"),
        row.text("line"),
        row.text("path"),
        row.text_map("fields"),
        row.text_map("facts"),
    )
    return PendingEvent(event, row.texts("after"))
