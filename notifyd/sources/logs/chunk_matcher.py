"""Matches the lines of chunks, and unfinished lines, for all triggers of a file at once."""

from collections.abc import Mapping

from notifyd.model.events import Event
from notifyd.sources.logs.aggregators import AggregatorSet, to_event
from notifyd.sources.logs.discovery.path_scanner import PathScanner
from notifyd.sources.logs.reading.buffer import Chunk, new_buffer
from notifyd.sources.logs.reading.log_reader import LogReader
from notifyd.sources.logs.reading.partial_lines import PartialLineTimer
from notifyd.sources.logs.reading.reader_set import ReaderSet
from notifyd.sources.records.scanning import ScannerFor, ScannerLike
from notifyd.sources.records.staleness import StalenessTimer

MOST_EVENTS = 500
"""How many events a poll returns, about."""
MOST_BYTES = 16 << 20
"""How many bytes the events of a poll take, about."""


class ChunkMatcher:
    """Turns lines into events. buffer: where readers put the chunks that are matched."""

    def __init__(
        self,
        scanner_for: ScannerFor,
        path_scanner: PathScanner,
        readers: ReaderSet,
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

    def match_chunk(self, reader: LogReader, chunk: Chunk, *, limit: int, room: int) -> list[Event]:
        """Match the lines of a chunk and move the reader behind them.

        Stops behind the line with which there are `limit` hits or `room` bytes of text.
        """
        scan = self._scanner(reader).scan(
            self.buffer, chunk.start, chunk.end, limit=limit, room=room
        )
        aggregating = self._aggregators.triggers_of(reader)
        events = [
            to_event(hit, self._readers.wall, reader.path)
            for hit in scan.hits
            if hit.trigger not in aggregating
            and chunk.base + hit.offset >= reader.start_offsets[hit.trigger]
        ]
        for trigger in aggregating:
            hits = [hit for hit in scan.hits if hit.trigger == trigger]
            scanned = chunk._replace(end=scan.end)
            events += self._aggregators.feed(trigger, reader, self.buffer, scanned, hits)
        reader.advance(self.buffer, chunk, scan.end)
        for trigger in self._staleness.triggers & reader.start_offsets.keys():
            self._staleness.add_line(trigger, self._readers.now)
        return events

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
        scan = self._scanner(reader).scan(
            self.buffer, chunk.start, chunk.end, limit=MOST_EVENTS, room=MOST_BYTES
        )
        hits = {hit.trigger: hit for hit in scan.hits}
        aggregating = self._aggregators.triggers_of(reader)
        events = []
        for trigger in self._path_scanner.in_config_order(triggers):
            hit = hits.get(trigger)
            if trigger in aggregating:
                new = self._aggregators.match_partial_line(trigger, reader, self.buffer, chunk, hit)
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

    def _scanner(self, reader: LogReader) -> ScannerLike:
        triggers = self._path_scanner.in_config_order(reader.start_offsets)
        if triggers not in self._scanners:
            self._scanners[triggers] = self._scanner_for(triggers)
        return self._scanners[triggers]
