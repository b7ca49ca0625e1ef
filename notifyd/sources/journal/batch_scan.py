"""Entries in, events out: the messages of many entries are one block for the scanner."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from notifyd.model.events import Event
from notifyd.sources.journal.aggregators import StreamAggregators
from notifyd.sources.journal.entry import JournalEntry
from notifyd.sources.journal.subscriptions import Router
from notifyd.sources.records.scanning import HitLike, ScannerFor
from notifyd.sources.records.staleness import StalenessTimer
from notifyd.text.visible import visible_lines

MAX_EVENTS: Final = 200
"""Events of one scan, approximately."""
MAX_ENTRIES: Final = 8192
"""Entries of one scan."""
_MIN_ENTRIES: Final = 32
"""Entries of the first scan, and of others while nearly all of them match."""
_ROOM: Final = 16 << 20
_TIMEOUT_COST: Final = 10
"""The number of events that cost as much time as a line that reaches the time limit."""


class ScanGroup(NamedTuple):
    """Entries that are scanned together.

    has_records: the triggers match records. raw: they see messages as they are, not their visible
    text. stream: unit and process, if a trigger aggregates.
    """

    triggers: tuple[str, ...]
    has_records: bool
    raw: bool
    stream: tuple[str, str] | None


class EntryHit(NamedTuple):
    """A hit of one whole entry that may have several lines."""

    trigger: str
    offset: int
    line: str
    pattern: int
    fields: Mapping[str, str]


class MessageBlock:
    """The messages of a group's entries, each ended by LF. Only for records, inner LFs are kept.

    messages: as the triggers see them, with inner LFs. indexes: of its entries. starts: where each
    message begins in `data`. multiline: numbers of messages with several lines, unless the group
    has records.
    """

    def __init__(
        self, group: ScanGroup, entries: Sequence[JournalEntry], indexes: list[int]
    ) -> None:
        messages = [entries[index].message or b"" for index in indexes]
        if not group.raw:
            messages = list(map(visible_lines, messages))
        self.messages = tuple(messages)
        self.group, self.entries, self.indexes = group, entries, indexes
        self.starts: list[int] = []
        self.multiline: list[int] = []
        at = 0
        for number, message in enumerate(messages):
            self.starts.append(at)
            at += len(message) + 1
            if not group.has_records and b"\n" in message:
                self.multiline.append(number)
                messages[number] = message.replace(b"\n", b" ")
        self.data = bytearray(b"\n".join(messages) + b"\n")

    def number_at(self, offset: int) -> int:
        """Return the number of the message that contains an offset."""
        return bisect_right(self.starts, offset) - 1

    def entry_at(self, offset: int) -> JournalEntry:
        return self.entries[self.indexes[self.number_at(offset)]]

    def offset_of(self, index: int) -> int:
        """Return where the first message of an entry with this index or a later one begins."""
        number = bisect_right(self.indexes, index - 1)
        return self.starts[number] if number < len(self.starts) else len(self.data)


class _BlockHits(NamedTuple):
    """hits: with the number of their message. end: index of the first entry that was not scanned.

    cost: in events.
    """

    hits: list[tuple[int, HitLike]]
    end: int
    cost: int


class BatchScanner:
    """wall: returns an entry's time, in seconds since the epoch."""

    def __init__(
        self,
        aggregators: StreamAggregators,
        staleness: StalenessTimer | None,
        scanner_for: ScannerFor,
        wall: Callable[[JournalEntry], float],
    ) -> None:
        self._aggregators, self._staleness = aggregators, staleness
        self._scanner_for, self._wall = scanner_for, wall
        self._batch_size = _MIN_ENTRIES
        self.has_routed = False
        """Whether any entry was for a trigger."""

    def scan(
        self, entries: Sequence[JournalEntry], router: Router, now: float
    ) -> tuple[int, list[Event]]:
        """Scan the first of these entries; returns their number and events."""
        entries = entries[: self._batch_size]
        groups = self._group(entries, router)
        blocks = [MessageBlock(group, entries, indexes) for group, indexes in groups.items()]
        self.has_routed = self.has_routed or bool(groups)
        self._aggregators.record_matchers.reset_time_limits()
        end, left = len(entries), MAX_EVENTS
        all_hits: list[list[tuple[int, HitLike]]] = []
        for block in blocks:
            hits, block_end, cost = self._scan_block(block, end, left)
            all_hits.append(hits)
            end, left = min(end, block_end), max(1, left - cost)
        # Doubled while few entries match, and halved when the events are too many.
        self._batch_size = min(MAX_ENTRIES, 2 * end) if left > 1 else max(_MIN_ENTRIES, end // 2)
        events: list[tuple[int, Event]] = []
        for block, hits in zip(blocks, all_hits, strict=True):
            kept = [hit for number, hit in hits if block.indexes[number] < end]
            events += self._events(block, kept, block.offset_of(end), now)
        events.sort(key=lambda pair: pair[0])
        return end, [event for _, event in events]

    def _group(self, entries: Sequence[JournalEntry], router: Router) -> dict[ScanGroup, list[int]]:
        groups: dict[ScanGroup, list[int]] = {}
        aggregating = self._aggregators.aggregating
        for index, (_, sender, message, _) in enumerate(entries):
            if message is None or sender.is_own:
                continue
            triggers, record_triggers = router.route(sender.units)
            for raw, names in self._by_text(triggers):
                stream = None if aggregating.isdisjoint(names) else (sender.unit, "")
                group = ScanGroup(names, has_records=False, raw=raw, stream=stream)
                groups.setdefault(group, []).append(index)
            for raw, names in self._by_text(record_triggers):
                stream = (sender.unit, sender.pid)
                group = ScanGroup(names, has_records=True, raw=raw, stream=stream)
                groups.setdefault(group, []).append(index)
        return groups

    def _by_text(self, triggers: tuple[str, ...]) -> Iterator[tuple[bool, tuple[str, ...]]]:
        """Yield the triggers that see the visible text, with False, and the raw ones, with True."""
        raw_triggers = self._aggregators.raw_triggers
        if raw_triggers.isdisjoint(triggers):
            if triggers:
                yield False, triggers
            return
        for raw in (False, True):
            if names := tuple(name for name in triggers if (name in raw_triggers) is raw):
                yield raw, names

    def _scan_block(self, block: MessageBlock, end: int, limit: int) -> _BlockHits:
        """Scan a block up to the entry with index `end`, and on to the end of that entry."""
        stop = block.offset_of(end)
        if not stop:
            return _BlockHits([], end, 0)
        scanner = self._scanner_for(block.group.triggers)
        timed_out = sum(scanner.timed_out.values())
        scan = scanner.scan(block.data, 0, stop, limit=limit, room=_ROOM)
        hits = list(scan.hits)
        timed_out = sum(scanner.timed_out.values()) - timed_out
        cost = len(hits) + _TIMEOUT_COST * timed_out
        if scan.end < stop:
            number = block.number_at(scan.end)
            is_inside = block.starts[number] < scan.end  # between the lines of an entry
            end = block.indexes[number] + is_inside
            if is_inside:
                stop = block.offset_of(end)
                rest = scanner.scan(block.data, scan.end, stop, limit=MAX_ENTRIES, room=_ROOM)
                hits += rest.hits
        found = [(block.number_at(hit.offset), hit) for hit in hits]
        if not block.multiline:
            return _BlockHits(found, end, cost)
        return self._match_multiline(block, _BlockHits(found, end, cost))

    def _match_multiline(self, block: MessageBlock, scanned: _BlockHits) -> _BlockHits:
        """Match messages of several lines whole: the scanner saw each as one line."""
        hits, end, cost = scanned
        multiline, matchers = set(block.multiline), self._aggregators.record_matchers
        hits = [(number, hit) for number, hit in hits if number not in multiline]
        for number in block.multiline:
            index = block.indexes[number]
            if index >= end:
                break
            for trigger in block.group.triggers:
                timed_out = matchers.timed_out.get(trigger, 0)
                hit = matchers.match(trigger, block.messages[number])
                cost += _TIMEOUT_COST * (matchers.timed_out[trigger] - timed_out)
                if hit is not None:
                    offset = block.starts[number]
                    entry_hit = EntryHit(trigger, offset, hit.line, hit.pattern, hit.fields)
                    hits.append((number, entry_hit))
                    cost += 1
            if cost > MAX_EVENTS:
                end = index + 1
                break
        hits.sort(key=lambda pair: pair[0])
        kept = [(number, hit) for number, hit in hits if block.indexes[number] < end]
        return _BlockHits(kept, end, cost)

    def _events(
        self, block: MessageBlock, hits: list[HitLike], stop: int, now: float
    ) -> list[tuple[int, Event]]:
        """Return the events of a block up to an offset, with the index of their entry."""
        if not stop:
            return []
        group = block.group
        if self._staleness is not None:
            for trigger in group.triggers:
                self._staleness.record_activity(trigger, now)

        def make_event(hit: HitLike) -> Event:
            return self._event(block.entry_at(hit.offset), hit)

        aggregating = self._aggregators.aggregating
        events = [
            (block.indexes[block.number_at(hit.offset)], make_event(hit))
            for hit in hits
            if hit.trigger not in aggregating
        ]
        last = block.indexes[block.number_at(stop - 1)]
        latest = block.entries[last]
        data = block.data if stop == len(block.data) else block.data[:stop]
        for trigger in filter(aggregating.__contains__, group.triggers):
            aggregated = self._aggregators.feed(
                self._aggregators.key_of(trigger, latest.sender),
                data,
                [hit for hit in hits if hit.trigger == trigger],
                None if group.has_records else make_event,
                latest=(latest.sender, self._wall(latest)),
                now=now,
            )
            events += [(last, event) for event in aggregated]
        return events

    def _event(self, entry: JournalEntry, hit: HitLike) -> Event:
        facts = {"pattern": str(hit.pattern), **entry.sender.facts()}
        return Event(hit.trigger, self._wall(entry), hit.line, fields=hit.fields, facts=facts)
