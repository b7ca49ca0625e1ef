"""What triggers hold of the lines of each file: pending records and context lines."""

from collections.abc import Mapping, Sequence
from functools import cache

from notifyd.config.triggers import LogTriggerConfig
from notifyd.model.events import Event
from notifyd.sources.logs.checkpoint import AggregatorId
from notifyd.sources.logs.line_view import LineView
from notifyd.sources.logs.reading.log_reader import LogReader
from notifyd.sources.logs.reading.reader_set import ReaderSet
from notifyd.sources.records.aggregator import RECORD_TIMEOUT, RecordAggregator, needs_aggregator
from notifyd.sources.records.record_matchers import RecordMatchers
from notifyd.sources.records.scanning import HitLike, RecordMatcherFor
from notifyd.sources.stored_values import CheckpointValueError, RefusedValues
from notifyd.text.frames import last_own_frame
from notifyd.text.json_lines import errors_of, fields_of, frame_of, parse_object
from notifyd.text.traces import exceptions_of


class AggregatorSet:
    """One aggregator for each file and trigger, if the trigger looks beyond single lines.

    stored: the stored values of all files. refused: receives those that are not usable.
    """

    def __init__(
        self,
        triggers: Mapping[str, LogTriggerConfig],
        stored: Mapping[str, str],
        *,
        record_matcher_for: RecordMatcherFor,
        readers: ReaderSet,
        refused: RefusedValues,
    ) -> None:
        self._triggers, self._readers, self._refused = triggers, readers, refused
        self._aggregating = {
            name for name, trigger in triggers.items() if needs_aggregator(trigger)
        }
        self.record_matchers = RecordMatchers(record_matcher_for)
        self._aggregators: dict[AggregatorId, RecordAggregator] = {}
        self._last_fed: dict[AggregatorId, float] = {}
        """Monotonic times; only of aggregators with a pending record or owed lines."""
        self._changed: set[AggregatorId] = set()
        for key, value in stored.items():
            if (aggregator := AggregatorId.from_key(key)) is not None:
                self._restore(aggregator, value)

    def _restore(self, key: AggregatorId, value: str) -> None:
        self._changed.add(key)
        if (config := self._triggers.get(key.trigger)) is None:
            return
        try:
            self._aggregators[key] = RecordAggregator.decode(config, key.trigger, value)
        except CheckpointValueError as error:
            checkpoint = self._readers.registry.get(key.file)
            path = checkpoint.path if checkpoint else f"inode {key.file.inode}"
            what = f"log record of trigger {key.trigger} and {path}"
            self._refused.add(key.to_key(), what, error, "its first lines are missing")

    def triggers_of(self, reader: LogReader) -> list[str]:
        """List the triggers of a file whose hits go through `feed`."""
        if not self._aggregating:
            return []
        return [name for name in reader.start_offsets if name in self._aggregating]

    # Feeding

    def feed(
        self,
        trigger: str,
        reader: LogReader,
        view: LineView,
        hits: Sequence[HitLike],
    ) -> list[Event]:
        """Add the lines of a chunk; return the events that are complete."""
        key = AggregatorId(trigger, reader.key)
        start_offset = reader.start_offsets[trigger]
        first_line = view.first_line_from(start_offset)
        is_multiline = self._triggers[trigger].multiline is not None
        start = first_line if is_multiline else view.first_line_past(start_offset)
        if start >= view.end:
            return []

        def make_event(hit: HitLike) -> Event:
            # A record has its own offsets, and may be of several JSON lines.
            entry = b"" if is_multiline else view.entry_at(hit.offset)
            return to_event(hit, self._readers.wall, reader.path, entry)

        events = self._aggregator(key, reader).feed(
            view.block,
            start,
            view.end,
            [hit for hit in hits if hit.offset >= first_line],
            match_record=lambda record: self.record_matchers.match(trigger, record),
            make_event=make_event,
        )
        self._mark_fed(key)
        return events

    def match_partial_line(
        self, trigger: str, reader: LogReader, view: LineView, hit: HitLike | None
    ) -> list[Event]:
        """Match an unfinished line by itself. It is fed when it is finished."""
        key = AggregatorId(trigger, reader.key)
        events = self._aggregator(key, reader).match_partial_line(
            view.block,
            view.start,
            view.end,
            hit,
            match_record=lambda record: self.record_matchers.match(trigger, record),
            make_event=lambda hit: to_event(hit, self._readers.wall, reader.path),
        )
        if events:
            self._mark_fed(key)
        return events

    def _aggregator(self, key: AggregatorId, reader: LogReader) -> RecordAggregator:
        """Return the aggregator of a file: its own, that of the file that it continues, or none."""
        if key not in self._aggregators:
            aggregator = RecordAggregator(self._triggers[key.trigger], reader.path)
            for other, known in self._aggregators.items():
                if known.path == reader.path and self._is_continuation(key, reader, other):
                    aggregator = self._aggregators.pop(other)
                    self._last_fed.pop(other, None)
                    self._changed.add(other)
                    break
            self._aggregators[key] = aggregator
        return self._aggregators[key]

    def _is_continuation(self, key: AggregatorId, reader: LogReader, other: AggregatorId) -> bool:
        """Whether a file continues another: that one was read to its end, or this is its copy."""
        if other.trigger != key.trigger:
            return False
        if other.file.catch_up_trigger or key.file.catch_up_trigger:
            return False
        earlier = self._readers.get(other.file)
        if earlier is not None and earlier.offset == 0:  # truncated: its rest is in this copy
            return True
        return reader.offset == 0 and (earlier is None or earlier.is_caught_up)

    # Flushing

    def schedule_idle(self, now: float) -> None:
        """Schedule the files of idle aggregators, which are read once more before a flush."""
        for key in self._idle(now):
            if key.file in self._readers:
                self._readers.queue.schedule(key.file)

    def flush_idle(self, now: float) -> list[Event]:
        """Return what idle aggregators hold, unless more of their files is to be read."""
        events = []
        for key in self._idle(now):
            if key.file not in self._readers.queue:
                events += self._flush(key)
        return events

    def next_flush(self) -> float | None:
        """Return the monotonic time at which the next aggregator is idle."""
        return min(self._last_fed.values()) + RECORD_TIMEOUT if self._last_fed else None

    def finish(self, reader: LogReader) -> list[Event]:
        """Return what is held of a file that is not read any more, and forget it."""
        events = []
        for key in [key for key in self._aggregators if key.file == reader.key]:
            events += self._flush(key)
            del self._aggregators[key]
        return events

    def _idle(self, now: float) -> list[AggregatorId]:
        """List the aggregators that were not fed for RECORD_TIMEOUT seconds, or since the start."""
        for key, aggregator in self._aggregators.items():
            if aggregator.is_pending:
                self._last_fed.setdefault(key, now)
        return [key for key, fed in self._last_fed.items() if fed + RECORD_TIMEOUT <= now]

    def _flush(self, key: AggregatorId) -> list[Event]:
        aggregator, trigger = self._aggregators[key], key.trigger
        events = aggregator.flush(
            lambda record: self.record_matchers.match(trigger, record),
            lambda hit: to_event(hit, self._readers.wall, aggregator.path),
        )
        self._mark_fed(key)
        return events

    # Storing

    @property
    def has_changes(self) -> bool:
        return bool(self._changed)

    def forget_unused(self) -> None:
        """Forget aggregators that hold nothing pending of files that are not known any more."""
        readers = self._readers
        for key, aggregator in list(self._aggregators.items()):
            if not (aggregator.is_pending or key.file in readers or key.file in readers.registry):
                del self._aggregators[key]
                self._changed.add(key)

    def take_changes(self) -> dict[str, str | None]:
        """Return what is to be committed with the checkpoints, by stored key, once."""
        changes: dict[str, str | None] = {}
        for key in self._changed:
            aggregator = self._aggregators.get(key)
            if aggregator is None or aggregator.is_empty:
                changes[key.to_key()] = None
            else:
                changes[key.to_key()] = aggregator.encode()
        self._changed.clear()
        return changes

    def _mark_fed(self, key: AggregatorId) -> None:
        self._changed.add(key)
        if self._aggregators[key].is_pending:
            self._last_fed[key] = self._readers.now
        else:
            self._last_fed.pop(key, None)


def to_event(hit: HitLike, wall: float, path: str, entry: bytes = b"") -> Event:
    """Return the event of a hit. entry: the JSON object that its line comes from.

    The keys of that object are fields as well; named groups take precedence unless they are empty.
    """
    line, facts, fields = hit.line, _facts(hit.pattern), hit.fields
    # A trace has several lines, and the line may be clipped before its exceptions come.
    if "\n" in line and (exceptions := exceptions_of(line)):
        facts = {**facts, "trace": "\n".join(exceptions), "frame": last_own_frame(line)}
    if entry and (found := parse_object(entry)) is not None:
        keys = fields_of(found)
        if errors := errors_of(keys, line):
            facts = {**facts, "trace": "\n".join([line, *errors]), "frame": frame_of(keys)}
        fields = {**fields, **keys, **{name: value for name, value in fields.items() if value}}
    return Event(hit.trigger, wall, line, path, fields, facts)


@cache
def _facts(pattern: int) -> Mapping[str, str]:
    return {"pattern": str(pattern)}
