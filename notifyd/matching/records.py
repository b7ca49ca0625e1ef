"""Where those records of several lines begin that may match, without a look at all the others."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from notifyd.matching.approximate import approximate
from notifyd.matching.prefilter import Expression, Prefilter
from notifyd.matching.regex_ast import LF
from notifyd.matching.verifier import PatternSet, Verifier

_WINDOW: Final = 256
_WIDER: Final = 4
"""How many times larger each window is than the one before."""
_LATE: Final = 20
"""First lines that may run out of time in one go."""


class RecordStart(NamedTuple):
    """offset: of a record's first line. matters: whether it may match, up to the next one known."""

    offset: int
    matters: bool


class TooLateError(Exception):
    """Too many lines cannot be decided in time."""


class RecordSplitter:
    """Finds the first lines of one rule's records."""

    def __init__(
        self, rule: PatternSet, first: str, *, cache: Path | None, time_limit: float
    ) -> None:
        self.decider = Verifier(
            [replace(rule, patterns=(first,), exclude=(), first=None)], time_limit
        )
        expression = approximate(first, rule.encoding).expression
        self._proposer = None
        if expression is not None:
            proposer = Prefilter([Expression(expression, ())], cache)
            self._proposer = None if proposer.refused else proposer
        self._most = 0

    def of(
        self, block: bytearray, start: int, end: int, candidates: Iterable[int]
    ) -> tuple[list[RecordStart], int]:
        """Find, for the lines that begin at `candidates`, where their records begin and end.

        Of the records between two offsets also the first that begins is told, and the last. What
        is told may end early; the second value is the end.
        """
        self._begin()
        try:
            return self._around(block, start, end, candidates), end
        except TooLateError:
            return self.every(block, start, end, limit=end - start)

    def every(
        self, block: bytearray, start: int, end: int, *, limit: int
    ) -> tuple[list[RecordStart], int]:
        """Find all records, at most `limit` of them; the second value is the end of the told."""
        self._begin()
        found: list[RecordStart] = []
        for at in self._likely(block, start, end):
            if at > start and (len(found) >= limit or self.decider.late >= self._most):
                return found, at
            if self._is_first(block, at, end):
                found.append(RecordStart(at, matters=True))
        return found, end

    def _begin(self) -> None:
        self.decider.relax()
        self._most = self.decider.late + _LATE

    def _around(
        self, block: bytearray, start: int, end: int, candidates: Iterable[int]
    ) -> list[RecordStart]:
        first = self._next(block, start, end)
        if first is None:
            return []
        found = {first: False}
        behind: int | None = first
        for at in candidates:
            if behind is None:
                break
            if at >= behind:
                found[self._last(block, behind, at, end)] = True
                behind = self._next(block, _line_end(block, at, end), end)
                if behind is not None:
                    found.setdefault(behind, False)
        if behind is not None:
            found.setdefault(self._last(block, behind, end - 1, end), False)
        return [RecordStart(at, found[at]) for at in sorted(found)]

    def _next(self, block: bytearray, low: int, end: int) -> int | None:
        """Find the first first line that begins at a line's begin or behind it."""
        size = _WINDOW
        while low < end:
            stop = _line_end(block, min(low + size, end) - 1, end)
            for at in self._likely(block, low, stop):
                if self._is_first(block, at, stop):
                    return at
            low, size = stop, _WIDER * size
        return None

    def _last(self, block: bytearray, low: int, at: int, end: int) -> int:
        """Find the last first line that begins at `at` or before; at the latest `low` is one."""
        stop, size = _line_end(block, at, end), _WINDOW
        while stop > low:
            begin = block.rfind(b"\n", low, max(low, stop - size)) + 1 or low
            for line in reversed(self._likely(block, begin, stop)):
                if line == low or self._is_first(block, line, stop):
                    return line
            stop, size = begin, _WIDER * size
        return low

    def _likely(self, block: bytearray, low: int, high: int) -> Sequence[int]:
        """List the begins of lines that may be first lines."""
        if self._proposer is not None:
            return self._proposer.begins(block, low, high)
        begins = []
        while low < high:
            begins.append(low)
            low = _line_end(block, low, high)
        return begins

    def _is_first(self, block: bytearray, at: int, end: int) -> bool:
        if self.decider.late >= self._most:
            raise TooLateError
        after = _line_end(block, at, end)
        return self.decider.matches(block[at : after - (block[after - 1] == LF)])


def _line_end(block: bytearray, at: int, end: int) -> int:
    return block.find(b"\n", at, end) + 1 or end
