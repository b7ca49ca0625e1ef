"""Matches the lines of chunks, and unfinished lines, for all triggers of a file at once."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from notifyd.config.triggers import LogTriggerConfig
from notifyd.model.events import Event
from notifyd.sources.logs.aggregators import AggregatorSet, to_event
from notifyd.sources.logs.discovery.path_scanner import PathScanner
from notifyd.sources.logs.line_view import LineView
from notifyd.sources.logs.reading.buffer import Chunk, new_buffer
from notifyd.sources.logs.reading.log_reader import LogReader
from notifyd.sources.logs.reading.partial_lines import PartialLineTimer
from notifyd.sources.logs.reading.reader_set import ReaderSet
from notifyd.sources.records.aggregator import SURPLUS
from notifyd.sources.records.scanning import HitLike, ScannerFor, ScannerLike
from notifyd.sources.records.staleness import StalenessTimer
from notifyd.text.containers import MessageJoiner
from notifyd.text.json_lines import has_level, normalize_level
from notifyd.text.visible import LongLine, cut_lines

_PARTIAL_LINE_HITS = 500
"""More than an unfinished line has: one for each trigger that it matches."""
MOST_BYTES = 16 << 20
"""How many bytes the events of a poll take, about."""


class _TriggerGroups(NamedTuple):
    """The triggers of a file by the text that they see."""

    raw: tuple[str, ...]
    visible: tuple[str, ...]
    wrapped: Mapping[tuple[tuple[str, ...], bool], tuple[str, ...]]
    """By formats and whether the text is raw."""

    @property
    def whole_line_triggers(self) -> tuple[str, ...]:
        """The triggers that see only whole lines."""
        return (*self.visible, *chain.from_iterable(self.wrapped.values()))


class ChunkMatcher:
    """Turns lines into events. buffer: where readers put the chunks that are matched."""

    def __init__(
        self,
        scanner_for: ScannerFor,
        path_scanner: PathScanner,
        readers: ReaderSet,
        triggers: Mapping[str, LogTriggerConfig],
        *,
        aggregators: AggregatorSet,
        partial_lines: PartialLineTimer,
        staleness: StalenessTimer,
    ) -> None:
        self.buffer = new_buffer()
        self._scanner_for, self._path_scanner, self._readers = scanner_for, path_scanner, readers
        self._aggregators, self._partial_lines = aggregators, partial_lines
        self._staleness = staleness
        self._scanners: dict[tuple[str, ...], ScannerLike] = {}
        self._triggers = triggers
        self._levels = {
            name: set(map(normalize_level, trigger.levels))
            for name, trigger in triggers.items()
            if trigger.levels
        }
        self._groups: dict[tuple[str, ...], _TriggerGroups] = {}
        self.cut_lines: Counter[str] = Counter()
        """By trigger, the number of lines that were longer than `max_line`."""

    def match_chunk(self, reader: LogReader, chunk: Chunk, *, limit: int, room: int) -> list[Event]:
        """Match the lines of a chunk and move the reader past them.

        Stops after the line with which there are `limit` hits or `room` bytes of text.
        """
        long_line = self._extend_long_line(reader, chunk)
        end, scanned = self._scan(reader, chunk, limit=limit, room=room)
        events: list[Event] = []
        for triggers, view, hits in scanned:
            events += self._to_events(reader, triggers, view, hits)
            self._count_cut_lines(reader, triggers, view)
        if self._groups_of(reader).wrapped and not long_line:
            reader.split_messages = self._split_messages(reader, chunk, end)
        reader.advance(self.buffer, chunk, end, long_line)
        for trigger in self._staleness.triggers & reader.start_offsets.keys():
            self._staleness.record_activity(trigger, self._readers.now)
        return events

    def _extend_long_line(self, reader: LogReader, chunk: Chunk) -> LongLine | None:
        """Return the long line that a chunk is a part of, if its visible text matters."""
        groups = self._groups_of(reader)
        names = groups.whole_line_triggers
        if not (chunk.is_line_head and names) or self._is_last(reader, chunk):
            return None
        line = reader.long_line or LongLine(reader.offset)
        piece = bytes(memoryview(self.buffer)[chunk.start : chunk.end])
        limit = self._kept_bytes(names)
        return line.extend(piece, limit)

    def _kept_bytes(self, triggers: Iterable[str]) -> int:
        """Return how many bytes are kept of a text that is read in pieces."""
        return max(self._triggers[name].max_line for name in triggers) + SURPLUS

    def _joiners(self, reader: LogReader) -> Iterator[tuple[tuple[str, ...], MessageJoiner]]:
        """Yield the triggers that see unwrapped messages, and what unwraps them from here on."""
        for (formats, raw), triggers in self._groups_of(reader).wrapped.items():
            limit = self._kept_bytes(triggers)
            yield triggers, MessageJoiner(formats, reader.split_messages, limit=limit, raw=raw)

    def _split_messages(self, reader: LogReader, chunk: Chunk, end: int) -> dict[str, LongLine]:
        """Return the beginnings of messages that continue after an index of the buffer."""
        pending: dict[str, LongLine] = {}
        for _, joiner in self._joiners(reader):
            if joiner.may_be_split:
                LineView.of_messages(self.buffer, chunk._replace(end=end), reader.long_line, joiner)
                pending |= joiner.pending
        return pending

    def _is_last(self, reader: LogReader, chunk: Chunk) -> bool:
        """Whether a catch-up reader ends with a chunk, so that its last line counts as it is."""
        return chunk.base + chunk.end == reader.catch_up_end

    def _views(
        self, reader: LogReader, chunk: Chunk, *, is_complete: bool
    ) -> Iterator[tuple[tuple[str, ...], LineView]]:
        """Yield the triggers that see the same text, with what they see.

        is_complete: a visible line counts even if its LF was not read.
        """
        groups = self._groups_of(reader)
        if groups.raw:
            raw = LineView.of_raw(self.buffer, chunk, reader.long_line)
            if raw is not None:
                yield groups.raw, raw
        if groups.visible and (is_complete or not chunk.is_line_head):
            yield (
                groups.visible,
                LineView.of_visible(self.buffer, chunk, reader.long_line),
            )

    def _message_views(
        self, reader: LogReader, chunk: Chunk
    ) -> Iterator[tuple[tuple[str, ...], LineView]]:
        if not chunk.is_line_head or self._is_last(reader, chunk):
            for triggers, joiner in self._joiners(reader):
                yield (
                    triggers,
                    LineView.of_messages(self.buffer, chunk, reader.long_line, joiner),
                )

    def _scan(
        self, reader: LogReader, chunk: Chunk, *, limit: int, room: int
    ) -> tuple[int, list[tuple[tuple[str, ...], LineView, Sequence[HitLike]]]]:
        """Scan the views of a chunk up to the same line; return where that ends."""
        views = list(self._views(reader, chunk, is_complete=self._is_last(reader, chunk)))
        views += self._message_views(reader, chunk)
        share = max(1, limit // max(1, len(views)))
        end = chunk.end
        while True:
            scanned, stop = [], end
            for triggers, whole_view in views:
                view = whole_view.until(end)
                scan = self._scanner(triggers).scan(
                    view.block, view.start, view.end, limit=share, room=room
                )
                stop = min(stop, view.to_raw_end(scan.end))
                scanned.append((triggers, view.until(view.to_raw_end(scan.end)), scan.hits))
            if stop == end or len(views) == 1:
                return stop, scanned
            end = stop

    def _has_level(self, hit: HitLike, view: LineView) -> bool:
        """Return whether a line has one of the levels of its trigger, if that has any."""
        levels = self._levels.get(hit.trigger)
        return levels is None or has_level(view.entry_at(hit.offset), levels)

    def _to_events(
        self,
        reader: LogReader,
        triggers: tuple[str, ...],
        view: LineView,
        hits: Sequence[HitLike],
    ) -> list[Event]:
        if self._levels:
            hits = [hit for hit in hits if self._has_level(hit, view)]
        aggregating = self._aggregators.triggers_of(reader)
        first_lines = {
            name: view.first_line_from(offset) for name, offset in reader.start_offsets.items()
        }
        wall, path = self._readers.wall, reader.path
        has_entries = view.messages is not None
        events = [
            to_event(hit, wall, path, view.entry_at(hit.offset) if has_entries else b"")
            for hit in hits
            if hit.trigger not in aggregating and hit.offset >= first_lines[hit.trigger]
        ]
        for trigger in filter(triggers.__contains__, aggregating):
            own_hits = [hit for hit in hits if hit.trigger == trigger]
            events += self._aggregators.feed(trigger, reader, view, own_hits)
        return events

    def _count_cut_lines(
        self, reader: LogReader, triggers: tuple[str, ...], view: LineView
    ) -> None:
        for limit in {self._triggers[name].max_line for name in triggers}:
            for start in cut_lines(view.block, view.start, view.end, limit):
                self.cut_lines.update(
                    name
                    for name in triggers
                    if self._triggers[name].max_line == limit
                    and start >= view.first_line_from(reader.start_offsets[name])
                )

    def match_partial_lines(self) -> list[Event]:
        """Match last lines that have lacked their LF for too long."""
        events: list[Event] = []
        for reader in self._partial_lines.readers(self._readers):
            if reader.key in self._readers.queue:
                continue
            if triggers := self._partial_lines.due(reader, self._readers.now):
                events += self._match_partial_line(reader, triggers)
        return events

    def _match_partial_line(self, reader: LogReader, triggers: set[str]) -> list[Event]:
        """Match an unfinished line. If it matches, it does not count again once it is finished."""
        chunk = reader.read_partial_line(self.buffer)
        if chunk is None:
            return []
        aggregating = self._aggregators.triggers_of(reader)
        events = []
        for group, view in self._views(reader, chunk, is_complete=True):
            scan = self._scanner(group).scan(
                view.block, view.start, view.end, limit=_PARTIAL_LINE_HITS, room=MOST_BYTES
            )
            hits = {hit.trigger: hit for hit in scan.hits}
            for trigger in filter(triggers.__contains__, group):
                hit = hits.get(trigger)
                if trigger in aggregating:
                    new = self._aggregators.match_partial_line(trigger, reader, view, hit)
                else:
                    new = [to_event(hit, self._readers.wall, reader.path)] if hit else []
                if new:
                    reader.start_offsets[trigger] = chunk.base + chunk.end
                    self._readers.save_checkpoint(reader, urgent=True)
                events += new
        return events

    @property
    def timed_out(self) -> Mapping[str, int]:
        """By trigger, the number of lines that no pattern decided within the time limit."""
        timed_out = self._aggregators.record_matchers.timed_out
        for scanner in self._scanners.values():
            timed_out.update(scanner.timed_out)
        return timed_out

    def _groups_of(self, reader: LogReader) -> _TriggerGroups:
        names = self._path_scanner.in_config_order(reader.start_offsets)
        if names not in self._groups:
            by_text: defaultdict[tuple[tuple[str, ...], bool], list[str]] = defaultdict(list)
            for name in names:
                trigger = self._triggers[name]
                by_text[trigger.wrapping_formats, trigger.raw].append(name)
            raw, visible = by_text.pop(((), True), []), by_text.pop(((), False), [])
            wrapped = {text: tuple(triggers) for text, triggers in by_text.items()}
            self._groups[names] = _TriggerGroups(tuple(raw), tuple(visible), wrapped)
        return self._groups[names]

    def _scanner(self, triggers: tuple[str, ...]) -> ScannerLike:
        if triggers not in self._scanners:
            self._scanners[triggers] = self._scanner_for(triggers)
        return self._scanners[triggers]
