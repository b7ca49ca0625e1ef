"""Finds where records of several lines begin that may match, without scanning all others."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from notifyd.matching.approximate import approximate
from notifyd.matching.prefilter import Expression, Prefilter
from notifyd.matching.regex_ast import LF
from notifyd.matching.verifier import PatternSet, Verifier

_WINDOW: Final = 256
_WINDOW_GROWTH: Final = 4
"""How many times larger each window is than the previous one."""
_MAX_TIMEOUTS: Final = 20
"""First lines that may run out of time in one call."""


class RecordStart(NamedTuple):
    """offset: of a record's first line. may_match: it, or any record up to the next known one."""

    offset: int
    may_match: bool


class TooManyTimeoutsError(Exception):
    """Too many lines ran out of time."""


class RecordSplitter:
    """Finds the first lines of the records of one pattern set."""

    def __init__(
        self, pattern_set: PatternSet, first: str, *, cache: Path | None, time_limit: float
    ) -> None:
        first_lines = replace(pattern_set, patterns=(first,), exclude=(), first=None)
        self.verifier = Verifier([first_lines], time_limit)
        expression = approximate(first, pattern_set.encoding).expression
        self._prefilter = None
        if expression is not None:
            prefilter = Prefilter([Expression(expression, ())], cache)
            self._prefilter = None if prefilter.refused else prefilter
        self._timeout_limit = 0

    def find_near(
        self, block: bytearray, start: int, end: int, candidates: Iterable[int]
    ) -> tuple[list[RecordStart], int]:
        """Find the records of the lines that start at `candidates`, and where they end.

        The first and the last record that begins between the offsets are included. Return the
        starts and the offset up to which they are complete, which may be before `end`.
        """
        self._reset()
        try:
            return self._find_around(block, start, end, candidates), end
        except TooManyTimeoutsError:
            return self.find_all(block, start, end, limit=end - start)

    def find_all(
        self, block: bytearray, start: int, end: int, *, limit: int
    ) -> tuple[list[RecordStart], int]:
        """Find at most `limit` records; return them and how far the block was searched."""
        self._reset()
        found: list[RecordStart] = []
        for line in self._candidate_lines(block, start, end):
            if line > start and (len(found) >= limit or self._has_too_many_timeouts()):
                return found, line
            if self._is_first_line(block, line, end):
                found.append(RecordStart(line, may_match=True))
        return found, end

    def _reset(self) -> None:
        self.verifier.reset_time_limits()
        self._timeout_limit = self.verifier.timeouts + _MAX_TIMEOUTS

    def _has_too_many_timeouts(self) -> bool:
        return self.verifier.timeouts >= self._timeout_limit

    def _find_around(
        self, block: bytearray, start: int, end: int, candidates: Iterable[int]
    ) -> list[RecordStart]:
        first = self._next_first_line(block, start, end)
        if first is None:
            return []
        found = {first: False}
        following: int | None = first
        for line in candidates:
            if following is None:
                break
            if line >= following:
                found[self._last_first_line(block, following, line, end)] = True
                following = self._next_first_line(block, _line_end(block, line, end), end)
                if following is not None:
                    found.setdefault(following, False)
        if following is not None:
            found.setdefault(self._last_first_line(block, following, end - 1, end), False)
        return [RecordStart(line, found[line]) for line in sorted(found)]

    def _next_first_line(self, block: bytearray, low: int, end: int) -> int | None:
        """Return the start of the next first line at or after `low`, which is a line's start."""
        size = _WINDOW
        while low < end:
            stop = _line_end(block, min(low + size, end) - 1, end)
            for line in self._candidate_lines(block, low, stop):
                if self._is_first_line(block, line, stop):
                    return line
            low, size = stop, _WINDOW_GROWTH * size
        return None

    def _last_first_line(self, block: bytearray, low: int, at: int, end: int) -> int:
        """Return the start of the last first line at or before `at`. `low` is known to be one."""
        stop, size = _line_end(block, at, end), _WINDOW
        while stop > low:
            begin = block.rfind(b"\n", low, max(low, stop - size)) + 1 or low
            for line in reversed(self._candidate_lines(block, begin, stop)):
                if line == low or self._is_first_line(block, line, stop):
                    return line
            stop, size = begin, _WINDOW_GROWTH * size
        return low

    def _candidate_lines(self, block: bytearray, low: int, high: int) -> Sequence[int]:
        """Return the starts of lines that may be first lines."""
        if self._prefilter is not None:
            return self._prefilter.line_starts(block, low, high)
        starts = []
        while low < high:
            starts.append(low)
            low = _line_end(block, low, high)
        return starts

    def _is_first_line(self, block: bytearray, line: int, end: int) -> bool:
        if self._has_too_many_timeouts():
            raise TooManyTimeoutsError
        line_end = _line_end(block, line, end)
        return self.verifier.matches(block[line : line_end - (block[line_end - 1] == LF)])


def _line_end(block: bytearray, at: int, end: int) -> int:
    return block.find(b"\n", at, end) + 1 or end
