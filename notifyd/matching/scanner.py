"""Blocks of bytes in, matching lines out: one pass of the engine for all patterns at once."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from notifyd.matching.approximate import approximate, approximate_in_records
from notifyd.matching.prefilter import Expression, Prefilter
from notifyd.matching.records import RecordSplitter
from notifyd.matching.regex_ast import LF
from notifyd.matching.verifier import NONE, Candidate, Hit, PatternSet, Verifier

_SLICE = 256 << 10
_LEAST_SLICE = 4 << 10
_COST_OF_UNDECIDED = 10
_COST_OF_HIT = 200


class Scan(NamedTuple):
    """end: how far the block was scanned, always behind a whole line."""

    hits: list[Hit]
    end: int


class Scanner:
    """All patterns that apply to one file, on one thread. Making it may take seconds.

    cache: where compiled databases are kept. time_limit: seconds for one pattern on one line.
    """

    def __init__(
        self, rules: Sequence[PatternSet], *, cache: Path | None, time_limit: float = 0.1
    ) -> None:
        self._rules = tuple(rules)
        self._decider = Verifier(rules, time_limit)
        self._slice = _SLICE
        self._records = {
            number: RecordSplitter(rule, rule.first, cache=cache, time_limit=time_limit)
            for number, rule in enumerate(rules)
            if rule.first is not None
        }
        unsure: list[Candidate] = []
        stands_for: dict[Expression, list[Candidate]] = {}
        for number, rule in enumerate(rules):
            find = approximate if rule.first is None else approximate_in_records
            for index, pattern in enumerate(rule.patterns):
                expression, _, parts = find(pattern, rule.encoding)
                if expression is None:
                    unsure.append((number, index))
                else:
                    known = Expression(expression, parts)
                    stands_for.setdefault(known, []).append((number, index))
        self._stands_for = list(stands_for.values())
        self._proposer = Prefilter(list(stands_for), cache)
        for refused in self._proposer.refused:
            unsure += self._stands_for[refused]
        self._every_line = [one for one in unsure if one[0] not in self._records]
        self._every_record = {number for number, _ in unsure} & self._records.keys()

    @property
    def timed_out(self) -> Mapping[str, int]:
        """By trigger, how many lines ran out of time. May be read from any thread."""
        if not self._records:
            return self._decider.undecided
        late = Counter(self._decider.undecided)
        for records in self._records.values():
            late.update(records.decider.undecided)
        return late

    def scan(
        self, block: bytearray, start: int, end: int, *, limit: int = 500, room: int = 16 << 20
    ) -> Scan:
        """Find the matching lines between two offsets, until `limit` hits or `room` bytes of text.

        Both may be passed by what the last line brings. The last line may lack its LF. Of rules
        with records the first lines are found: of each that may match, of the one after it, of
        the first that begins between the offsets, and of the last.
        """
        self._decider.relax()
        hits: list[Hit] = []
        near: dict[int, list[int]] = {number: [] for number in self._records}
        at, stop, most = start, start, limit
        while stop < end and limit > 0 and room > 0:
            at, stop = stop, self._stop(block, stop, end)
            for begin, after, candidates in self._proposals(block, at, stop):
                late = self._decider.late
                if near:
                    for number in {number for number, _ in candidates} & near.keys():
                        near[number].append(begin)
                        limit -= 1
                    candidates = [one for one in candidates if one[0] not in near]  # noqa: PLW2901
                if candidates:
                    raw = block[begin : after - (block[after - 1] == LF)]
                    for hit in self._decider.hits(raw, begin, candidates):
                        hits.append(hit)
                        limit -= 1
                        room -= len(hit.line) + _COST_OF_HIT
                limit -= (self._decider.late - late) * _COST_OF_UNDECIDED
                if limit <= 0 or room <= 0:
                    self._slice = max(_LEAST_SLICE, 2 * (after - at))
                    stop = after
                    break
            else:
                self._slice = min(_SLICE, 2 * self._slice)
        return self._with_records(block, start, Scan(hits, stop), near, most)

    def _with_records(
        self, block: bytearray, start: int, scan: Scan, near: Mapping[int, list[int]], limit: int
    ) -> Scan:
        """Add where records begin, given the lines that say which of them may match."""
        if not near or scan.end == start:
            return scan
        hits, end = scan
        for number, lines in near.items():
            records, trigger = self._records[number], self._rules[number].trigger
            if number in self._every_record:
                found, end = records.every(block, start, end, limit=limit)
            else:
                found, end = records.of(block, start, end, lines)
            hits += [Hit(trigger, at, "", 0 if matters else NONE, {}) for at, matters in found]
        return Scan(sorted((hit for hit in hits if hit.offset < end), key=_offset), end)

    def _stop(self, block: bytearray, start: int, end: int) -> int:
        """Where the next slice ends: behind a line's end, with at least one line in it.

        Slices bound what is held of a block in which every line is a candidate.
        """
        if end - start <= self._slice:
            return end
        return (
            block.rfind(b"\n", start, start + self._slice) + 1
            or block.find(b"\n", start + self._slice, end) + 1
            or end
        )

    def _proposals(
        self, block: bytearray, start: int, end: int
    ) -> Iterator[tuple[int, int, list[Candidate]]]:
        """Yield each candidate line's begin, the offset behind it, and the patterns to decide."""
        proposed = self._proposer.proposed(block, start, end)
        if not self._every_line:
            for after, numbers in proposed.items():
                yield block.rfind(b"\n", start, after - 1) + 1 or start, after, self._named(numbers)
            return
        while start < end:
            after = block.find(b"\n", start, end) + 1 or end
            yield start, after, self._every_line + self._named(proposed.get(after, ()))
            start = after

    def _named(self, numbers: Iterable[int]) -> list[Candidate]:
        return [candidate for number in numbers for candidate in self._stands_for[number]]


def _offset(hit: Hit) -> int:
    return hit.offset
