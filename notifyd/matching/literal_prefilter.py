"""The first pass over a large block: finds the lines with texts that the patterns require."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain
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

    literals: the sets of each expression by its id. uncovered: the ids of the expressions without a
    rare set; all others match only in lines that contain a text found by `find`.
    """

    def __init__(self, literals: Mapping[int, Sequence[LiteralSet]]) -> None:
        self._literals = literals
        sets = chain.from_iterable(literals.values())
        self._texts = sorted(set(chain.from_iterable(sets)))
        self._all_texts: hyperscan.Database | None = None
        self._database: hyperscan.Database | None = None
        self._requiring: list[tuple[int, ...]] = []
        """The expressions that require each chosen text, by the text's id."""
        self.uncovered = tuple(literals)

    def choose_literals(self, sample: memoryview) -> bool:
        """Choose the sets by their frequency in a sample; return whether a first pass pays."""
        self._database, self.uncovered = None, tuple(self._literals)
        if not self._texts:
            return False
        frequencies = self._count(sample)
        chosen = self._choose(frequencies, len(sample) // _BYTES_PER_CANDIDATE)
        uncovered = tuple(number for number in self._literals if number not in chosen)
        if len(uncovered) * _MIN_COVERED > len(self._literals):
            return False
        requiring: defaultdict[Literal, list[int]] = defaultdict(list)
        for number, texts in sorted(chosen.items()):
            for text in texts:
                requiring[text].append(number)
        ordered = sorted(requiring)
        self._database = hyperscan_database.compile_literals(ordered, padded=True)
        self._requiring = [tuple(requiring[text]) for text in ordered]
        self.uncovered = uncovered
        return True

    def find(self, data: memoryview) -> list[tuple[int, tuple[int, ...]]]:
        """Return where chosen texts end, in order, with the expressions that require the text."""
        found: list[tuple[int, int]] = []
        if self._database is not None:
            # The stubs of Hyperscan name only bytes and str; it accepts any buffer.
            self._database.scan(cast("bytes", data), _add_end, context=found)
            found.sort()
        count = len(self._requiring)
        return [(end, self._requiring[text]) for end, text in found if text < count]

    def is_saturated(self, candidates: int, size: int) -> bool:
        """Return whether there are too many candidate lines in `size` bytes for it to pay."""
        return candidates > 2 * (size // _BYTES_PER_CANDIDATE)

    def _count(self, sample: memoryview) -> dict[Literal, int]:
        if self._all_texts is None:
            self._all_texts = hyperscan_database.compile_literals(self._texts, padded=False)
        counts = [0] * len(self._texts)
        self._all_texts.scan(cast("bytes", sample), _add_one, context=counts)
        return dict(zip(self._texts, counts, strict=True))

    def _choose(self, frequencies: dict[Literal, int], budget: int) -> dict[int, LiteralSet]:
        """Take the rarest set of each expression, as long as all together stay within budget."""
        rarest = []
        for number, sets in self._literals.items():
            rated = [
                (sum(frequencies[text] for text in texts), -min_length(texts), texts)
                for texts in sets
            ]
            if rated:
                frequency, _, texts = min(rated, key=lambda entry: entry[:2])
                rarest.append((frequency, number, texts))
        chosen: dict[int, LiteralSet] = {}
        searched: set[Literal] = set()
        for frequency, number, texts in sorted(rarest, key=lambda entry: entry[:2]):
            budget -= 0 if texts <= searched else frequency
            if budget < 0:
                break
            searched |= texts
            chosen[number] = texts
        return chosen


def _add_end(text_id: int, _start: int, end: int, _flags: int, found: Any) -> None:
    found.append((end, text_id))


def _add_one(text_id: int, _start: int, _end: int, _flags: int, counts: Any) -> None:
    counts[text_id] += 1
