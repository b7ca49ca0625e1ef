"""Entries in, events out: the messages of many entries are one block for the scanner."""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from notifyd.config.triggers import LogTriggerConfig
from notifyd.model.events import Event
from notifyd.sources.journal.aggregators import StreamAggregators
from notifyd.sources.journal.entry import Entry
from notifyd.sources.journal.units import Router
from notifyd.sources.records.scanning import HitLike, ScannerLike
from notifyd.sources.records.staleness import StalenessTimer

EVENTS: Final = 200
"""Events that one turn is to bring, about."""
MOST: Final = 8192
"""Entries looked at in one turn, at most."""
_LEAST: Final = 32
"""Entries looked at in the first turn, and in others where nearly all of them match."""
_ROOM: Final = 16 << 20
_COST_OF_UNDECIDED: Final = 10
"""For how many events a line counts that no pattern could decide in time: it took that long."""


class ScanGroup(NamedTuple):
    """What is scanned together. stream: unit and process, where something is held of them."""

    triggers: tuple[str, ...]
    records: bool
    stream: tuple[str, str] | None


class EntryHit(NamedTuple):
    """A hit for one whole entry; also one of several lines."""

    trigger: str
    offset: int
    line: str
    pattern: int
    fields: Mapping[str, str]


class Block:
    """The messages of entries, each a line that ends with LF; in records their own LFs stay.

    indexes: of its entries. starts: where each begins in `data`. long: those of several lines.
    """

    def __init__(self, kind: ScanGroup, entries: Sequence[Entry], indexes: list[int]) -> None:
        messages = [entries[index].message or b"" for index in indexes]
        self.kind, self.entries, self.indexes = kind, entries, indexes
        self.starts: list[int] = []
        self.long: list[int] = []
        at = 0
        for number, message in enumerate(messages):
            self.starts.append(at)
            at += len(message) + 1
            if not kind.records and b"\n" in message:
                self.long.append(number)
                messages[number] = message.replace(b"\n", b" ")
        self.data = bytearray(b"\n".join(messages) + b"\n")

    def number(self, offset: int) -> int:
        """Tell which of the entries an offset is in."""
        return bisect_right(self.starts, offset) - 1

    def entry(self, offset: int) -> Entry:
        return self.entries[self.indexes[self.number(offset)]]

    def upto(self, index: int) -> int:
        """Tell where the first entry from this index on begins."""
        number = bisect_right(self.indexes, index - 1)
        return self.starts[number] if number < len(self.starts) else len(self.data)


class BatchScanner:
    """scanner_for: may take seconds, once per set of triggers. wall: an entry's, in seconds."""

    def __init__(
        self,
        triggers: Mapping[str, LogTriggerConfig],
        streams: StreamAggregators,
        silence: StalenessTimer | None,
        scanner_for: Callable[[tuple[str, ...]], ScannerLike],
        wall: Callable[[Entry], float],
    ) -> None:
        self._triggers, self._streams, self._silence = triggers, streams, silence
        self._scanner_for, self._wall = scanner_for, wall
        self._most = _LEAST
        self.heard = False
        """Whether anything was for a trigger at all."""

    def take(self, entries: Sequence[Entry], router: Router, now: float) -> tuple[int, list[Event]]:
        """Fold the first of these entries; says how many, and what they brought."""
        entries = entries[: self._most]
        kinds = self._kinds(entries, router)
        blocks = [Block(kind, entries, indexes) for kind, indexes in kinds.items()]
        self.heard = self.heard or bool(kinds)
        self._streams.judges.reset_time_limits()
        end, left = len(entries), EVENTS
        hits: list[list[tuple[int, HitLike]]] = []
        for block in blocks:
            found, stop, cost = self._scanned(block, end, left)
            hits.append(found)
            end, left = min(end, stop), max(1, left - cost)
        self._most = min(MOST, 2 * end) if left > 1 else max(_LEAST, end // 2)
        events: list[tuple[int, Event]] = []
        for block, found in zip(blocks, hits, strict=True):
            own = [hit for number, hit in found if block.indexes[number] < end]
            events += self._told(block, own, block.upto(end), now)
        events.sort(key=lambda pair: pair[0])
        return end, [event for _, event in events]

    def _kinds(self, entries: Sequence[Entry], router: Router) -> dict[ScanGroup, list[int]]:
        kinds: dict[ScanGroup, list[int]] = {}
        held = self._streams.wanted
        for index, (_, sender, message, _) in enumerate(entries):
            if message is None or sender.own:
                continue
            lines, records = router.route(sender.units)
            if lines:
                stream = None if held.isdisjoint(lines) else (sender.unit, "")
                kinds.setdefault(ScanGroup(lines, records=False, stream=stream), []).append(index)
            if records:
                kind = ScanGroup(records, records=True, stream=(sender.unit, sender.pid))
                kinds.setdefault(kind, []).append(index)
        return kinds

    def _scanned(
        self, block: Block, end: int, left: int
    ) -> tuple[list[tuple[int, HitLike]], int, int]:
        """Find what matches, up to an entry; says where it stopped, and what that cost."""
        upto = block.upto(end)
        if not upto:
            return [], end, 0
        scanner = self._scanner_for(block.kind.triggers)
        before = sum(scanner.timed_out.values())
        scan = scanner.scan(block.data, 0, upto, limit=left, room=_ROOM)
        hits = list(scan.hits)
        cost = len(hits) + _COST_OF_UNDECIDED * (sum(scanner.timed_out.values()) - before)
        stop = end
        if scan.end < upto:
            number = block.number(scan.end)
            inside = block.starts[number] < scan.end  # in the middle of an entry's lines
            stop = block.indexes[number] + inside
            upto = block.upto(stop)
            if inside:
                rest = scanner.scan(block.data, scan.end, upto, limit=MOST, room=_ROOM)
                hits += rest.hits
        found = [(block.number(hit.offset), hit) for hit in hits]
        if not block.long:
            return found, stop, cost
        return self._whole(block, found, stop, cost)

    def _whole(
        self, block: Block, found: list[tuple[int, HitLike]], stop: int, cost: int
    ) -> tuple[list[tuple[int, HitLike]], int, int]:
        """Decide messages of several lines as they are: the scanner saw them as one line each."""
        long = set(block.long)
        found = [(number, hit) for number, hit in found if number not in long]
        for number in block.long:
            index = block.indexes[number]
            if index >= stop:
                break
            for trigger in block.kind.triggers:
                before = self._streams.judges.timed_out.get(trigger, 0)
                hit = self._streams.judges.match(trigger, block.entries[index].message or b"")
                cost += _COST_OF_UNDECIDED * (self._streams.judges.timed_out[trigger] - before)
                if hit is not None:
                    at = block.starts[number]
                    whole = EntryHit(trigger, at, hit.line, hit.pattern, hit.fields)
                    found.append((number, whole))
                    cost += 1
            if cost > EVENTS:
                stop = index + 1
                break
        found.sort(key=lambda pair: pair[0])
        return [pair for pair in found if block.indexes[pair[0]] < stop], stop, cost

    def _told(
        self, block: Block, hits: list[HitLike], upto: int, now: float
    ) -> list[tuple[int, Event]]:
        if not upto:
            return []
        kind = block.kind
        if self._silence is not None:
            for trigger in kind.triggers:
                self._silence.add_line(trigger, now)

        def make(hit: HitLike) -> Event:
            return self._event(block.entry(hit.offset), hit)

        carried = self._streams.wanted
        told = [
            (block.indexes[block.number(hit.offset)], make(hit))
            for hit in hits
            if hit.trigger not in carried
        ]
        last = block.indexes[block.number(upto - 1)]
        latest = block.entries[last]
        data = block.data if upto == len(block.data) else block.data[:upto]
        for trigger in filter(carried.__contains__, kind.triggers):
            given = self._streams.feed(
                self._streams.stream(trigger, latest.sender),
                data,
                [hit for hit in hits if hit.trigger == trigger],
                None if kind.records else make,
                written=(latest.sender, self._wall(latest)),
                now=now,
            )
            told += [(last, event) for event in given]
        return told

    def _event(self, entry: Entry, hit: HitLike) -> Event:
        facts = {"pattern": str(hit.pattern), **entry.sender.facts()}
        return Event(hit.trigger, self._wall(entry), hit.line, fields=hit.fields, facts=facts)
