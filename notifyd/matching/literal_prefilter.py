"""The first pass over a large block: finds the lines with texts that the patterns require."""

from collections.abc import Sequence
from typing import Any, cast

import hyperscan

from notifyd.matching import hyperscan_database
from notifyd.matching.literals import Literal, LiteralSet, min_length

_BYTES_PER_CANDIDATE = 4 << 10
"""More than one candidate line in this many bytes costs more than the first pass saves."""
_MIN_COVERED = 4
"""At most one in this many expressions may have to be searched for without a required text."""


class LiteralPrefilter:
    """Searches, for each expression, for the set of required texts that is rarest in the log.

    literals: the sets of each expression. uncovered: the indexes of the expressions without a rare
    set; all others match only in lines that contain a text found by `find_ends`.
    """

    def __init__(self, literals: Sequence[Sequence[LiteralSet]]) -> None:
        self._literals = literals
        self._texts = sorted({text for sets in literals for texts in sets for text in texts})
        self._all_texts: hyperscan.Database | None = None
        self._database: hyperscan.Database | None = None
        self.uncovered = tuple(range(len(literals)))

    def choose_literals(self, sample: memoryview) -> bool:
        """Choose the sets by their frequency in a sample; return whether a first pass pays."""
        self._database, self.uncovered = None, tuple(range(len(self._literals)))
        if not self._texts:
            return False
        frequencies = self._count(sample)
        chosen, uncovered = self._choose(frequencies, len(sample) // _BYTES_PER_CANDIDATE)
        if len(uncovered) * _MIN_COVERED > len(self._literals):
            return False
        self._database = hyperscan_database.compile_literals(sorted(chosen))
        self.uncovered = tuple(sorted(uncovered))
        return True

    def find_ends(self, data: memoryview) -> list[int]:
        """Return the offsets at which chosen texts end, in order."""
        ends: list[int] = []
        if self._database is not None:
            # The stubs of Hyperscan name only bytes and str; it accepts any buffer.
            self._database.scan(cast("bytes", data), _add_end, context=ends)
            ends.sort()
        return ends

    def is_saturated(self, candidates: int, size: int) -> bool:
        """Return whether there are too many candidate lines in `size` bytes for it to pay."""
        return candidates > 2 * (size // _BYTES_PER_CANDIDATE)

    def _count(self, sample: memoryview) -> dict[Literal, int]:
        if self._all_texts is None:
            self._all_texts = hyperscan_database.compile_literals(self._texts)
        counts = [0] * len(self._texts)
        self._all_texts.scan(cast("bytes", sample), _add_one, context=counts)
        return dict(zip(self._texts, counts, strict=True))

    def _choose(
        self, frequencies: dict[Literal, int], budget: int
    ) -> tuple[set[Literal], set[int]]:
        """Take the rarest set of each expression, as long as all together stay within budget."""
        uncovered = set(range(len(self._literals)))
        rarest = []
        for index, sets in enumerate(self._literals):
            rated = [
                (sum(frequencies[text] for text in texts), -min_length(texts), texts)
                for texts in sets
            ]
            if rated:
                frequency, _, texts = min(rated, key=lambda entry: entry[:2])
                rarest.append((frequency, index, texts))
        chosen: set[Literal] = set()
        for frequency, index, texts in sorted(rarest, key=lambda entry: entry[:2]):
            budget -= 0 if texts <= chosen else frequency
            if budget < 0:
                break
            chosen |= texts
            uncovered.discard(index)
        return chosen, uncovered


def _add_end(_id: int, _start: int, end: int, _flags: int, ends: Any) -> None:
    ends.append(end)


def _add_one(text_id: int, _start: int, _end: int, _flags: int, counts: Any) -> None:
    if text_id < len(counts):  # the others are padding
        counts[text_id] += 1
