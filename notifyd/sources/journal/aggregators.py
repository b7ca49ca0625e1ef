"""Record aggregators of journal triggers, by unit, and their stored form.

Records are kept apart by process as well, because the processes of one unit write at once.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from notifyd.config.triggers import LogTriggerConfig
from notifyd.model.events import Event
from notifyd.sources.journal.entry import Sender
from notifyd.sources.journal.registry import PENDING_RECORD
from notifyd.sources.records.aggregator import (
    RECORD_TIMEOUT,
    RecordAggregator,
    needs_aggregator,
)
from notifyd.sources.records.record_matchers import RecordMatchers
from notifyd.sources.records.scanning import HitLike, LineSourceOptions
from notifyd.sources.stored_values import CheckpointValueError, RefusedValues, StoredFields

_MAX_STREAMS: Final = 300
"""Streams held at once. Beyond that, the one without an entry for longest is flushed."""

MakeEvent = Callable[[HitLike], Event]


class StreamKey(NamedTuple):
    """pid: empty for a trigger that matches entries one by one."""

    trigger: str
    unit: str
    pid: str


@dataclass(slots=True)
class _Stream:
    """facts, wall: of the latest entry; wall is in seconds since the epoch."""

    aggregator: RecordAggregator
    facts: Mapping[str, str]
    wall: float

    def encode(self) -> str:
        stored = {"carry": self.aggregator.encode(), "facts": self.facts, "wall": self.wall}
        return json.dumps(stored, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def decode(cls, config: LogTriggerConfig, trigger: str, text: str) -> Self:
        """Decode what `encode` returned; CheckpointValueError for anything else."""
        fields = StoredFields.decode(text)
        aggregator = RecordAggregator.decode(config, trigger, fields.text("carry"))
        return cls(aggregator, fields.text_map("facts"), fields.seconds("wall"))


class StreamAggregators:
    """reader_id: distinguishes the readers of one trigger. aggregating: triggers that need `feed`.

    raw_triggers: those that see messages as they are.
    """

    def __init__(
        self,
        options: LineSourceOptions,
        checkpoints: Mapping[str, str],
        *,
        reader_id: str,
        refused: RefusedValues,
    ) -> None:
        self._triggers, self._refused = options.triggers, refused
        self._prefix = f"{PENDING_RECORD}{reader_id}:"
        self.aggregating = frozenset(
            name for name, trigger in self._triggers.items() if needs_aggregator(trigger)
        )
        self.raw_triggers = frozenset(name for name, each in self._triggers.items() if each.raw)
        self.record_matchers = RecordMatchers(options.record_matcher_for)
        self._streams: dict[StreamKey, _Stream] = {}
        self._last_fed: dict[StreamKey, float | None] = {}
        """When pending streams were last fed; None if that was before the start."""
        self._changed: set[StreamKey] = set()
        for key, value in checkpoints.items():
            if key.startswith(self._prefix):
                self._restore(key, value)

    def _restore(self, stored_key: str, value: str) -> None:
        trigger, _, rest = stored_key.removeprefix(self._prefix).partition(":")
        pid, _, unit = rest.partition(":")
        key = StreamKey(trigger, unit, pid)
        if trigger not in self.aggregating:
            return
        try:
            stream = _Stream.decode(self._triggers[trigger], trigger, value)
        except CheckpointValueError as error:
            self._changed.add(key)
            what = f"journal record of trigger {trigger} and {unit or 'no unit'}"
            self._refused.add(stored_key, what, error, "its first lines are missing")
            return
        self._streams[key] = stream
        if stream.aggregator.is_pending:
            self._last_fed[key] = None

    @property
    def has_changes(self) -> bool:
        return bool(self._changed)

    def key_of(self, trigger: str, sender: Sender) -> StreamKey:
        has_records = self._triggers[trigger].multiline is not None
        return StreamKey(trigger, sender.unit, sender.pid if has_records else "")

    def feed(
        self,
        key: StreamKey,
        block: bytearray,
        hits: Sequence[HitLike],
        make_event: MakeEvent | None,
        *,
        latest: tuple[Sender, float],
        now: float,
    ) -> list[Event]:
        """Add lines to a stream.

        hits: lines, or the first lines of records. make_event: of a line; None for records, whose
        events are of the latest entry. latest: sender and wall-clock time of the latest entry.
        """
        stream = self._streams.pop(key, None)
        if stream is None:
            stream = _Stream(RecordAggregator(self._triggers[key.trigger], ""), {}, 0.0)
        self._streams[key] = stream  # after all that were fed before
        stream.facts, stream.wall = latest[0].facts(), latest[1]
        events = stream.aggregator.feed(
            block,
            0,
            len(block),
            hits,
            match_record=lambda record: self.record_matchers.match(key.trigger, record),
            make_event=make_event or (lambda hit: self._event(stream, hit)),
        )
        self._mark_fed(key, now)
        while len(self._streams) > _MAX_STREAMS:
            oldest = next(iter(self._streams))
            events += self._flush(oldest, now)
            self._streams.pop(oldest, None)
        return events

    def flush_idle(self, now: float) -> list[Event]:
        """Flush streams that were not fed for a while; after a start, that begins now."""
        events = []
        for key, fed in list(self._last_fed.items()):
            if fed is None:
                self._last_fed[key] = now
            elif fed + RECORD_TIMEOUT <= now:
                events += self._flush(key, now)
        return events

    def flush_and_clear(self) -> list[Event]:
        """Flush all streams at the end of a reader, and forget them."""
        events = []
        for key in list(self._last_fed):
            events += self._flush(key, 0.0)
        self._changed |= self._streams.keys()
        self._streams.clear()
        self._last_fed.clear()
        return events

    def next_flush(self, now: float) -> float | None:
        times = [now if fed is None else fed for fed in self._last_fed.values()]
        return min(times) + RECORD_TIMEOUT if times else None

    def take_changes(self) -> dict[str, str | None]:
        """Return what to commit; None deletes a key."""
        changes: dict[str, str | None] = {}
        for key in self._changed:
            stream = self._streams.get(key)
            stored_key = f"{self._prefix}{key.trigger}:{key.pid}:{key.unit}"
            is_empty = stream is None or stream.aggregator.is_empty
            changes[stored_key] = None if stream is None or is_empty else stream.encode()
        self._changed.clear()
        return changes

    def _flush(self, key: StreamKey, now: float) -> list[Event]:
        stream = self._streams[key]
        events = stream.aggregator.flush(
            lambda record: self.record_matchers.match(key.trigger, record),
            lambda hit: self._event(stream, hit),
        )
        self._mark_fed(key, now)
        return events

    def _event(self, stream: _Stream, hit: HitLike) -> Event:
        facts = {"pattern": str(hit.pattern), **stream.facts}
        return Event(hit.trigger, stream.wall, hit.line, fields=hit.fields, facts=facts)

    def _mark_fed(self, key: StreamKey, now: float) -> None:
        self._changed.add(key)
        aggregator = self._streams[key].aggregator
        if aggregator.is_pending:
            self._last_fed[key] = now
        else:
            self._last_fed.pop(key, None)
            if aggregator.is_empty:
                del self._streams[key]
