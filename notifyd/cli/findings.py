"""What a log trigger finds in blocks of lines: the daemon's own fold, with the lines' numbers."""

import time
from collections import Counter, deque
from collections.abc import Iterator

from notifyd.config.triggers import LogTriggerConfig
from notifyd.engine.sources import pattern_set
from notifyd.matching import Hit, RecordMatcher, Scan, Scanner
from notifyd.model.events import Event
from notifyd.sources.logs.aggregators import to_event
from notifyd.sources.records.aggregator import RecordAggregator
from notifyd.sources.records.scanning import HitLike

_AT_ONCE = 10_000


class Findings:
    """Each event with the number, from 1, of the line or of the first line of the record."""

    def __init__(self, name: str, config: LogTriggerConfig, path: str) -> None:
        self._scanner = Scanner([pattern_set(name, config)], cache=None)
        self._records = RecordMatcher(pattern_set(name, config, records=True))
        self._carry = RecordAggregator(config, path)
        self._multiline = config.multiline is not None
        self._beyond_a_line = self._multiline or bool(config.before or config.after)
        self._numbers: deque[int] = deque()
        """Of records that were not judged yet, and of matching lines that make no event yet."""
        self._number = 0

    @property
    def undecided(self) -> Counter[str]:
        """Count the lines and records that ran out of time."""
        return Counter(self._scanner.timed_out) + Counter(self._records.timed_out)

    def of(
        self, block: bytearray, start: int, end: int, number: int
    ) -> Iterator[tuple[int, Event]]:
        """Fold whole lines, of which the first has this number."""
        while start < end:
            scan = self._scanner.scan(block, start, end, limit=_AT_ONCE)
            first, numbers, counted = number, [], start
            for hit in scan.hits:
                number += block.count(b"\n", counted, hit.offset)
                counted = hit.offset
                numbers.append(number)
            number += block.count(b"\n", counted, scan.end)
            if self._beyond_a_line:
                yield from self._folded(block, start, scan, first, numbers)
            else:
                now, path = time.time(), self._carry.path
                for line, hit in zip(numbers, scan.hits, strict=True):
                    yield line, to_event(hit, now, path)
            start = scan.end

    def rest(self) -> Iterator[tuple[int, Event]]:
        """Give what is still held, at the end."""
        return map(_numbered, self._carry.flush(self._judge, self._made))

    def _folded(
        self, block: bytearray, start: int, scan: Scan, first: int, numbers: list[int]
    ) -> Iterator[tuple[int, Event]]:
        """Fold what was scanned. first: the number of the line at `start`; numbers: of the hits."""
        hits = scan.hits
        if self._multiline and not self._numbers and (not hits or hits[0].offset > start):
            self._numbers.append(first)
        for number, hit in zip(numbers, hits, strict=True):
            if hit.pattern >= 0 or hit is hits[-1]:  # only those are judged
                self._numbers.append(number)
        feed = self._carry.feed
        return map(
            _numbered,
            feed(block, start, scan.end, hits, match_record=self._judge, make_event=self._made),
        )

    def _judge(self, record: bytes) -> Hit | None:
        self._number = self._numbers.popleft()
        return self._records.match(record)

    def _made(self, hit: HitLike) -> Event:
        number = self._number if self._multiline else self._numbers.popleft()
        facts = {"pattern": str(hit.pattern), "number": str(number)}
        return Event(hit.trigger, time.time(), hit.line, self._carry.path, hit.fields, facts)


def _numbered(event: Event) -> tuple[int, Event]:
    return int(event.facts["number"]), event
