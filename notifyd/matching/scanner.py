"""Blocks of bytes in, matching lines out: one pass of the engine for all patterns at once."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import hyperscan

from notifyd.matching import database
from notifyd.matching.decide import Candidate, Decider, Hit, Rule
from notifyd.matching.widen import widen

_LF = 0x0A
_TO_LINE_END = rb"[^\n]*\n"
"""Ends every expression, so that the engine reports once per line and never once per byte."""

_SLICE = 256 << 10
_LEAST_SLICE = 4 << 10
_COST_OF_UNDECIDED = 10
_COST_OF_HIT = 200

Proposers = dict[bytes, list[Candidate]]
"""By widened expression, the patterns that it stands for."""


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
        proposers: Proposers = {}
        for number, rule in enumerate(rules):
            for index, pattern in enumerate(rule.patterns):
                expression = widen(pattern, rule.encoding).expression
                if expression is None:
                    self._every_line.append((number, index))
                else:
                    proposers.setdefault(expression, []).append((number, index))
        self._database = self._built(proposers, cache)
        self._proposers = list(proposers.values())

    @property
    def undecided(self) -> Mapping[str, int]:
        """By trigger, how many lines ran out of time. May be read from any thread."""
        return self._decider.undecided

    def _built(self, proposers: Proposers, cache: Path | None) -> hyperscan.Database | None:
        """Compile all at once; what the engine refuses is moved to those tried on every line."""
        try:
            return _compiled(proposers, cache)
        except hyperscan.error:
            for expression in list(proposers):
                try:
                    _compiled([expression], None)
                except hyperscan.error:
                    self._every_line += proposers.pop(expression)
            return _compiled(proposers, cache)

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
                undecided = sum(self.undecided.values())
                raw = bytes(memoryview(block)[at : after - (block[after - 1] == _LF)])
                found = self._decider.hits(raw, at, candidates)
                hits += found
                undecided -= sum(self.undecided.values())
                limit -= len(found) - undecided * _COST_OF_UNDECIDED
                room -= sum(len(hit.line) + _COST_OF_HIT for hit in found)
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
        found: dict[int, list[int]] = {}
        if self._database is not None:
            with memoryview(block)[start:end] as data:
                whole = data if data[-1] == _LF else bytes(data) + b"\n"
                # The engine's types name only bytes and str; it takes any buffer.
                self._database.scan(cast("bytes", whole), _note, context=found)
        proposed = {min(start + length, end): found[length] for length in sorted(found)}
        if not self._every_line:
            for after, numbers in proposed.items():
                yield block.rfind(b"\n", start, after - 1) + 1 or start, after, self._named(numbers)
            return
        while start < end:
            after = block.find(b"\n", start, end) + 1 or end
            yield start, after, self._every_line + self._named(proposed.get(after, ()))
            start = after

    def _named(self, numbers: Iterable[int]) -> list[Candidate]:
        return [candidate for number in numbers for candidate in self._proposers[number]]


def _compiled(expressions: Collection[bytes], cache: Path | None) -> hyperscan.Database | None:
    if not expressions:
        return None
    return database.load([expression + _TO_LINE_END for expression in expressions], cache)


def _note(number: int, _start: int, end: int, _flags: int, found: Any) -> None:
    try:
        found[end].append(number)
    except KeyError:
        found[end] = [number]
