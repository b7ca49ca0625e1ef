"""Blocks of bytes in, matching lines out: one pass of the engine for all patterns at once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from notifyd.matching.decide import Candidate, Decider, Hit, Rule
from notifyd.matching.proposer import Expression, Proposer
from notifyd.matching.widen import widen

_LF = 0x0A
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
        self, rules: Sequence[Rule], *, cache: Path | None, time_limit: float = 0.1
    ) -> None:
        self._decider = Decider(rules, time_limit)
        self._slice = _SLICE
        self._every_line: list[Candidate] = []
        stands_for: dict[Expression, list[Candidate]] = {}
        for number, rule in enumerate(rules):
            for index, pattern in enumerate(rule.patterns):
                expression, _, parts = widen(pattern, rule.encoding)
                if expression is None:
                    self._every_line.append((number, index))
                else:
                    known = Expression(expression, parts)
                    stands_for.setdefault(known, []).append((number, index))
        self._stands_for = list(stands_for.values())
        self._proposer = Proposer(list(stands_for), cache)
        for refused in self._proposer.refused:
            self._every_line += self._stands_for[refused]

    @property
    def undecided(self) -> Mapping[str, int]:
        """By trigger, how many lines ran out of time. May be read from any thread."""
        return self._decider.undecided

    def scan(
        self, block: bytearray, start: int, end: int, *, limit: int = 500, room: int = 16 << 20
    ) -> Scan:
        """Find the matching lines between two offsets, until `limit` hits or `room` bytes of text.

        Both may be passed by what the last line brings. The last line may lack its LF.
        """
        self._decider.relax()
        hits: list[Hit] = []
        while start < end:
            stop = self._stop(block, start, end)
            for at, after, candidates in self._proposals(block, start, stop):
                late = self._decider.late
                raw = bytes(memoryview(block)[at : after - (block[after - 1] == _LF)])
                for hit in self._decider.hits(raw, at, candidates):
                    hits.append(hit)
                    limit -= 1
                    room -= len(hit.line) + _COST_OF_HIT
                limit -= (self._decider.late - late) * _COST_OF_UNDECIDED
                if limit <= 0 or room <= 0:
                    self._slice = max(_LEAST_SLICE, 2 * (after - start))
                    return Scan(hits, after)
            start = stop
            self._slice = min(_SLICE, 2 * self._slice)
        return Scan(hits, end)

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
