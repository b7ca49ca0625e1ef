"""The first look at a large block: which lines hold text without which no pattern matches."""

from collections.abc import Sequence
from typing import Any, cast

import hyperscan

from notifyd.matching import database
from notifyd.matching.literals import Literal, Part, shortest

_BYTES_PER_LINE = 4 << 10
"""More than one candidate line in so many bytes cost more than the first look saves."""
_REST = 4
"""At most one in so many expressions may be left to be looked for as it stands."""


class LiteralPrefilter:
    """Looks, for each pattern, for the part of it that is rarest in the log itself.

    parts: for each expression. rest: the numbers of those that have no rare part; all that are
    not in it are found only in the lines that `ends` tells of.
    """

    def __init__(self, parts: Sequence[Sequence[Part]]) -> None:
        self._parts = parts
        self._texts = sorted({text for each in parts for part in each for text in part})
        self._census: hyperscan.Database | None = None
        self._database: hyperscan.Database | None = None
        self.rest = tuple(range(len(parts)))

    def learn(self, sample: memoryview) -> bool:
        """Choose the parts anew, by how often each occurs; returns whether it is worth while."""
        self._database, self.rest = None, tuple(range(len(self._parts)))
        if not self._texts:
            return False
        chosen, rest = self._chosen(self._counted(sample), len(sample) // _BYTES_PER_LINE)
        if len(rest) * _REST > len(self._parts):
            return False
        self._database, self.rest = database.literals(sorted(chosen)), tuple(sorted(rest))
        return True

    def ends(self, data: memoryview) -> list[int]:
        """List where the chosen texts end, in order."""
        found: list[int] = []
        if self._database is not None:
            # The engine's types name only bytes and str; it takes any buffer.
            self._database.scan(cast("bytes", data), _note, context=found)
            found.sort()
        return found

    def too_many(self, lines: int, size: int) -> bool:
        """Say whether so many candidates in so many bytes make the first look a waste."""
        return lines > 2 * (size // _BYTES_PER_LINE)

    def _counted(self, sample: memoryview) -> dict[Literal, int]:
        if self._census is None:
            self._census = database.literals(self._texts)
        counts = [0] * len(self._texts)
        self._census.scan(cast("bytes", sample), _count, context=counts)
        return dict(zip(self._texts, counts, strict=False))  # what fills up the database is behind

    def _chosen(self, counts: dict[Literal, int], most: int) -> tuple[set[Literal], set[int]]:
        """Take the rarest part of each expression, while all together stay rare enough."""
        rest = set(range(len(self._parts)))
        rarest = []
        for number, parts in enumerate(self._parts):
            each = [(sum(counts[text] for text in part), -shortest(part), part) for part in parts]
            if each:
                often, _, part = min(each, key=lambda one: one[:2])
                rarest.append((often, number, part))
        chosen: set[Literal] = set()
        for often, number, part in sorted(rarest, key=lambda one: one[:2]):
            most -= 0 if part <= chosen else often
            if most < 0:
                break
            chosen |= part
            rest.discard(number)
        return chosen, rest


def _note(_number: int, _start: int, end: int, _flags: int, found: Any) -> None:
    found.append(end)


def _count(number: int, _start: int, _end: int, _flags: int, counts: Any) -> None:
    counts[number] += 1
