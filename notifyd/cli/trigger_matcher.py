"""Matches blocks of lines for one log trigger as the daemon does, and numbers the matches."""

import time
from array import array
from collections import Counter, deque
from collections.abc import Iterator

from notifyd.config.triggers import LogTriggerConfig
from notifyd.engine.sources import pattern_set
from notifyd.matching import Hit, RecordMatcher, Scan, Scanner
from notifyd.model.events import Event
from notifyd.sources.logs.aggregators import to_event
from notifyd.sources.records.aggregator import SURPLUS, RecordAggregator
from notifyd.sources.records.scanning import HitLike
from notifyd.text.containers import MessageJoiner
from notifyd.text.json_lines import has_level, normalize_level
from notifyd.text.visible import has_invisible_text, visible_lines

_MAX_HITS = 10_000
"""Hits of one scan."""


class TriggerMatcher:
    """Returns events with their number: that of the line, or of the first line of the record."""

    def __init__(self, name: str, config: LogTriggerConfig, path: str) -> None:
        self._scanner = Scanner([pattern_set(name, config)], cache=None)
        self._records = RecordMatcher(pattern_set(name, config, records=True))
        self._aggregator = RecordAggregator(config, path)
        self._path, self._raw = path, config.raw
        self._levels = set(map(normalize_level, config.levels))
        self._joiner: MessageJoiner | None = None
        if config.wrapping_formats:
            limit = config.max_line + SURPLUS
            self._joiner = MessageJoiner(config.wrapping_formats, {}, limit=limit, raw=config.raw)
        self._first_lines = array("Q")
        """The number of the line that each unwrapped message begins with."""
        self._entries: dict[int, bytes] = {}
        """The JSON objects of the messages at hand, by the position of their message."""
        self._multiline = config.multiline is not None
        self._needs_aggregator = self._multiline or bool(config.before or config.after)
        self._numbers: deque[int] = deque()
        """Of hits passed to the aggregator for which it has made no event yet."""
        self._record_number = 0

    @property
    def timed_out(self) -> Counter[str]:
        """Count the lines and records that ran out of time."""
        return Counter(self._scanner.timed_out) + Counter(self._records.timed_out)

    def match(
        self, block: bytearray, start: int, end: int, number: int
    ) -> Iterator[tuple[int, Event]]:
        """Yield the events of whole lines. number: that of the line at `start`."""
        if self._joiner is not None:
            yield from self._match_messages(self._joiner, block[start:end], number)
            return
        yield from self._match_lines(block, start, end, number)

    def _match_messages(
        self, joiner: MessageJoiner, lines: bytearray, number: int
    ) -> Iterator[tuple[int, Event]]:
        """Unwrap lines, and number their messages by the line that each begins with."""
        messages = []
        self._entries.clear()
        for index, line in enumerate(bytes(lines).removesuffix(b"\n").split(b"\n"), number):
            if (message := joiner.feed(line, index)) is not None:
                self._entries[len(self._first_lines)] = message.entry
                self._first_lines.append(message.offset)
                messages.append(message.text + b"\n")
        first = len(self._first_lines) - len(messages)
        block = bytearray(b"".join(messages))
        for position, event in self._match_lines(block, 0, len(block), first):
            yield self._first_lines[position], event

    def _match_lines(
        self, block: bytearray, start: int, end: int, number: int
    ) -> Iterator[tuple[int, Event]]:
        if not self._raw and has_invisible_text(block, start, end):
            lines = bytes(memoryview(block)[start:end])
            block = bytearray(visible_lines(lines))
            start, end = 0, len(block)
        while start < end:
            scan = self._scanner.scan(block, start, end, limit=_MAX_HITS)
            first, numbers, counted = number, [], start
            hits = []
            for hit in scan.hits:
                number += block.count(b"\n", counted, hit.offset)
                counted = hit.offset
                if not self._levels or has_level(self._entries.get(number, b""), self._levels):
                    hits.append(hit)
                    numbers.append(number)
            number += block.count(b"\n", counted, scan.end)
            scan = scan._replace(hits=hits)
            if self._needs_aggregator:
                yield from self._aggregate(block, start, scan, first, numbers)
            else:
                now = time.time()
                for line, hit in zip(numbers, scan.hits, strict=True):
                    yield line, to_event(hit, now, self._path, self._entries.get(line, b""))
            start = scan.end

    def finish(self) -> Iterator[tuple[int, Event]]:
        """Yield the events of pending records at the end of the input."""
        for number, event in map(
            _numbered, self._aggregator.flush(self._match_record, self._make_event)
        ):
            yield (number if self._joiner is None else self._first_lines[number]), event

    def _aggregate(
        self, block: bytearray, start: int, scan: Scan, first: int, numbers: list[int]
    ) -> Iterator[tuple[int, Event]]:
        """Aggregate one scan. first: number of the line at `start`; numbers: of the hits."""
        hits = scan.hits
        if self._multiline and not self._numbers and (not hits or hits[0].offset > start):
            self._numbers.append(first)
        for number, hit in zip(numbers, hits, strict=True):
            if hit.pattern >= 0 or hit is hits[-1]:  # the aggregator passes on only these
                self._numbers.append(number)
        feed = self._aggregator.feed
        return map(
            _numbered,
            feed(
                block,
                start,
                scan.end,
                hits,
                match_record=self._match_record,
                make_event=self._make_event,
            ),
        )

    def _match_record(self, record: bytes) -> Hit | None:
        self._record_number = self._numbers.popleft()
        return self._records.match(record)

    def _make_event(self, hit: HitLike) -> Event:
        number = self._record_number if self._multiline else self._numbers.popleft()
        entry = b"" if self._multiline else self._entries.get(number, b"")
        event = to_event(hit, time.time(), self._path, entry)
        return event._replace(facts={**event.facts, "number": str(number)})


def _numbered(event: Event) -> tuple[int, Event]:
    return int(event.facts["number"]), event
