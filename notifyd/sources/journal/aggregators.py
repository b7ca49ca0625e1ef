"""What triggers hold of earlier entries: records that go on, lines around a match, by unit.

Records are kept apart by process as well, because the processes of one unit write at once.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from notifyd.config.triggers import LogTriggerConfig
from notifyd.model.events import Event
from notifyd.sources.journal.entry import Sender
from notifyd.sources.journal.registry import CARRY
from notifyd.sources.records.aggregator import RECORD_TIMEOUT, RecordAggregator, needs_aggregator
from notifyd.sources.records.record_matchers import RecordMatchers
from notifyd.sources.records.scanning import HitLike, RecordMatcherFor
from notifyd.sources.stored_values import CheckpointValueError, RefusedValues, StoredFields

_MOST: Final = 300
"""Streams held at once; beyond them the one that was silent for longest is told as it is."""

Make = Callable[[HitLike], Event]


class StreamAggregator(NamedTuple):
    """pid: empty where a trigger looks at entries, one by one."""

    trigger: str
    unit: str
    pid: str


@dataclass(slots=True)
class _PendingEntry:
    """facts: of the latest sender. wall: when it wrote, in seconds since the epoch."""

    carry: RecordAggregator
    facts: Mapping[str, str]
    wall: float

    def encode(self) -> str:
        stored = {"carry": self.carry.encode(), "facts": self.facts, "wall": self.wall}
        return json.dumps(stored, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def decode(cls, config: LogTriggerConfig, trigger: str, text: str) -> Self:
        """Decode what `encode` returned; CheckpointValueError for anything else."""
        fields = StoredFields.decode(text)
        carry = RecordAggregator.decode(config, trigger, fields.text("carry"))
        return cls(carry, fields.text_map("facts"), fields.seconds("wall"))


class StreamAggregators:
    """lane: which reading it is, for one trigger may have several at once."""

    def __init__(
        self,
        triggers: Mapping[str, LogTriggerConfig],
        positions: Mapping[str, str],
        *,
        lane: str,
        record_matcher_for: RecordMatcherFor,
        refused: RefusedValues,
    ) -> None:
        self._triggers, self._refused = triggers, refused
        self._prefix = f"{CARRY}{lane}:"
        self.wanted = frozenset(
            name for name, trigger in triggers.items() if needs_aggregator(trigger)
        )
        self.judges = RecordMatchers(record_matcher_for)
        self._held: dict[StreamAggregator, _PendingEntry] = {}
        self._fed: dict[StreamAggregator, float | None] = {}
        """When something came last for what is pending; None if that was before the start."""
        self._dirty: set[StreamAggregator] = set()
        for key, value in positions.items():
            if key.startswith(self._prefix):
                self._restore(key, value)

    def _restore(self, key: str, value: str) -> None:
        trigger, _, rest = key.removeprefix(self._prefix).partition(":")
        pid, _, unit = rest.partition(":")
        stream = StreamAggregator(trigger, unit, pid)
        if trigger not in self.wanted:
            return
        try:
            held = _PendingEntry.decode(self._triggers[trigger], trigger, value)
        except CheckpointValueError as error:
            self._dirty.add(stream)
            what = f"journal record of trigger {trigger} and {unit or 'no unit'}"
            self._refused.add(key, what, error, "its first lines are missing")
            return
        self._held[stream] = held
        if held.carry.is_pending:
            self._fed[stream] = None

    @property
    def dirty(self) -> bool:
        return bool(self._dirty)

    def stream(self, trigger: str, sender: Sender) -> StreamAggregator:
        records = self._triggers[trigger].multiline is not None
        return StreamAggregator(trigger, sender.unit, sender.pid if records else "")

    def feed(
        self,
        stream: StreamAggregator,
        block: bytearray,
        hits: Sequence[HitLike],
        make: Make | None,
        *,
        written: tuple[Sender, float],
        now: float,
    ) -> list[Event]:
        """Fold the lines that a stream is given next.

        hits: lines, or the first lines of records. make: an event of a line. written: by whom
        the last of them, and when.
        """
        held = self._held.pop(stream, None)
        if held is None:
            held = _PendingEntry(RecordAggregator(self._triggers[stream.trigger], ""), {}, 0.0)
        self._held[stream] = held  # behind all that was fed before
        held.facts, held.wall = written[0].facts(), written[1]
        given = held.carry.feed(
            block,
            0,
            len(block),
            hits,
            match_record=lambda record: self.judges.match(stream.trigger, record),
            make_event=make or (lambda hit: self._event(held, hit)),
        )
        self._note(stream, now)
        while len(self._held) > _MOST:
            oldest = next(iter(self._held))
            given += self._flushed(oldest, now)
            self._held.pop(oldest, None)
        return given

    def flush(self, now: float | None) -> list[Event]:
        """Give what is held of streams that have been quiet for a while; None: of all."""
        events = []
        for stream, fed in list(self._fed.items()):
            if fed is None and now is not None:
                self._fed[stream] = now
            elif now is None or fed is None or fed + RECORD_TIMEOUT <= now:
                events += self._flushed(stream, now or 0.0)
        return events

    def forget(self) -> None:
        """Drop what is held, at the end of a reading."""
        self._dirty |= self._held.keys()
        self._held.clear()
        self._fed.clear()

    def wake(self, now: float) -> float | None:
        """Tell when the next quiet while is over."""
        times = [now if fed is None else fed for fed in self._fed.values()]
        return min(times) + RECORD_TIMEOUT if times else None

    def take(self) -> dict[str, str | None]:
        """Hand over what is to be committed."""
        texts: dict[str, str | None] = {}
        for stream in self._dirty:
            held = self._held.get(stream)
            key = f"{self._prefix}{stream.trigger}:{stream.pid}:{stream.unit}"
            texts[key] = None if held is None or held.carry.is_empty else held.encode()
        self._dirty.clear()
        return texts

    def _flushed(self, stream: StreamAggregator, now: float) -> list[Event]:
        held = self._held[stream]
        events = held.carry.flush(
            lambda record: self.judges.match(stream.trigger, record),
            lambda hit: self._event(held, hit),
        )
        self._note(stream, now)
        return events

    def _event(self, held: _PendingEntry, hit: HitLike) -> Event:
        facts = {"pattern": str(hit.pattern), **held.facts}
        return Event(hit.trigger, held.wall, hit.line, fields=hit.fields, facts=facts)

    def _note(self, stream: StreamAggregator, now: float) -> None:
        self._dirty.add(stream)
        held = self._held[stream]
        if held.carry.is_pending:
            self._fed[stream] = now
        else:
            self._fed.pop(stream, None)
            if held.carry.is_empty:
                del self._held[stream]
