"""Finds the matching lines of a block, with one pass for the patterns of all triggers."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from notifyd.matching.approximate import approximate, approximate_in_records
from notifyd.matching.prefilter import Expression, Prefilter
from notifyd.matching.records import RecordSplitter
from notifyd.matching.regex_ast import LF
from notifyd.matching.verifier import NO_MATCH, Candidate, Hit, PatternSet, Verifier

_MAX_SLICE = 256 << 10
_MIN_SLICE = 4 << 10
_TIMEOUT_COST = 10
"""Hits that a timeout counts as, towards the limit of a scan."""
_HIT_OVERHEAD = 200
"""Bytes of memory that a hit takes besides its text."""


class Scan(NamedTuple):
    """end: how far the block was scanned, always the end of a line."""

    hits: list[Hit]
    end: int


class Scanner:
    """The patterns of all triggers that apply to one file. Making it may take seconds.

    cache: the directory of compiled databases. time_limit: seconds for one pattern on one line.
    For use on one thread at a time.
    """

    def __init__(
        self, pattern_sets: Sequence[PatternSet], *, cache: Path | None, time_limit: float = 0.1
    ) -> None:
        self._pattern_sets = tuple(pattern_sets)
        self._verifier = Verifier(pattern_sets, time_limit)
        self._slice = _MAX_SLICE
        self._splitters = {
            number: RecordSplitter(each, each.first, cache=cache, time_limit=time_limit)
            for number, each in enumerate(pattern_sets)
            if each.first is not None
        }
        unfiltered: list[Candidate] = []
        by_expression: dict[Expression, list[Candidate]] = {}
        for number, each in enumerate(pattern_sets):
            find = approximate if each.first is None else approximate_in_records
            for index, pattern in enumerate(each.patterns):
                text, _, literals = find(pattern, each.encoding)
                if text is None:
                    unfiltered.append((number, index))
                else:
                    expression = Expression(text, literals)
                    by_expression.setdefault(expression, []).append((number, index))
        self._candidates_of = list(by_expression.values())
        self._prefilter = Prefilter(list(by_expression), cache)
        for refused in self._prefilter.refused:
            unfiltered += self._candidates_of[refused]
        self._every_line = [one for one in unfiltered if one[0] not in self._splitters]
        self._every_record = {number for number, _ in unfiltered} & self._splitters.keys()

    @property
    def timed_out(self) -> Mapping[str, int]:
        """Count the lines that ran out of time, by trigger. May be read from any thread."""
        if not self._splitters:
            return self._verifier.timed_out
        counts = Counter(self._verifier.timed_out)
        for splitter in self._splitters.values():
            counts.update(splitter.verifier.timed_out)
        return counts

    def scan(
        self, block: bytearray, start: int, end: int, *, limit: int = 500, room: int = 16 << 20
    ) -> Scan:
        """Find the matching lines between two offsets, up to `limit` hits or `room` bytes of text.

        Both may be exceeded by the hits of the last line, which may lack its LF. For pattern sets
        with records the hits are first lines: of each record that may match and of the one after
        it, of the first record that begins between the offsets and of the last.
        """
        verifier = self._verifier
        verifier.reset_time_limits()
        hits: list[Hit] = []
        record_lines: dict[int, list[int]] = {number: [] for number in self._splitters}
        slice_start, stop, max_hits = start, start, limit
        while stop < end and limit > 0 and room > 0:
            slice_start, stop = stop, self._slice_end(block, stop, end)
            for line, line_end, candidates in self._candidate_lines(block, slice_start, stop):
                if record_lines:
                    for number in {number for number, _ in candidates} & record_lines.keys():
                        record_lines[number].append(line)
                        limit -= 1
                    candidates = [one for one in candidates if one[0] not in record_lines]  # noqa: PLW2901
                timeouts = verifier.timeouts
                raw = block[line : line_end - (block[line_end - 1] == LF)]
                for hit in verifier.verify(raw, line, candidates):
                    hits.append(hit)
                    limit -= 1
                    room -= len(hit.line) + _HIT_OVERHEAD
                if verifier.timeouts > timeouts:
                    limit -= (verifier.timeouts - timeouts) * _TIMEOUT_COST
                if limit <= 0 or room <= 0:
                    self._slice = max(_MIN_SLICE, 2 * (line_end - slice_start))
                    stop = line_end
                    break
            else:
                self._slice = min(_MAX_SLICE, 2 * self._slice)
        return self._add_records(block, start, Scan(hits, stop), record_lines, max_hits)

    def _add_records(
        self,
        block: bytearray,
        start: int,
        scan: Scan,
        record_lines: Mapping[int, list[int]],
        limit: int,
    ) -> Scan:
        """Add the starts of records. record_lines: the lines by which records may match."""
        if not record_lines or scan.end == start:
            return scan
        hits, end = scan
        for number, lines in record_lines.items():
            splitter, trigger = self._splitters[number], self._pattern_sets[number].trigger
            if number in self._every_record:
                found, end = splitter.find_all(block, start, end, limit=limit)
            else:
                found, end = splitter.find_near(block, start, end, lines)
            hits += [
                Hit(trigger, line, "", 0 if may_match else NO_MATCH, {})
                for line, may_match in found
            ]
        return Scan(sorted((hit for hit in hits if hit.offset < end), key=_offset), end)

    def _slice_end(self, block: bytearray, start: int, end: int) -> int:
        """Return the end of the next slice: the end of a line, after at least one line.

        Slices bound what is held of a block in which every line is a candidate.
        """
        if end - start <= self._slice:
            return end
        return (
            block.rfind(b"\n", start, start + self._slice) + 1
            or block.find(b"\n", start + self._slice, end) + 1
            or end
        )

    def _candidate_lines(
        self, block: bytearray, start: int, end: int
    ) -> Iterator[tuple[int, int, list[Candidate]]]:
        """Yield the start and end of each candidate line, and the patterns to verify."""
        found = self._prefilter.candidates(block, start, end)
        candidates_of = self._candidates_of
        if not self._every_line:
            for line_end, ids in found.items():
                line = block.rfind(b"\n", start, line_end - 1) + 1 or start
                if len(ids) == 1:
                    (number,) = ids
                    yield line, line_end, candidates_of[number]
                else:
                    yield line, line_end, self._patterns_of(ids)
            return
        while start < end:
            line_end = block.find(b"\n", start, end) + 1 or end
            yield start, line_end, self._every_line + self._patterns_of(found.get(line_end, ()))
            start = line_end

    def _patterns_of(self, ids: Iterable[int]) -> list[Candidate]:
        return [candidate for number in ids for candidate in self._candidates_of[number]]


def _offset(hit: Hit) -> int:
    return hit.offset
