"""Finds the lines of a block that may match: never fewer than those that do."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import hyperscan

from notifyd.matching import hyperscan_database
from notifyd.matching.literal_prefilter import LiteralPrefilter
from notifyd.matching.literals import LiteralSet
from notifyd.matching.regex_ast import LF

_TO_LINE_END = rb"[^\n]*\n"
"""Ends every expression, so that Hyperscan reports once for each line and not for each byte."""

_MIN_BLOCK = 32 << 10
"""Bytes of a block from which a first pass for required texts pays."""
_SAMPLE_SIZE = 128 << 10
_MIN_RETRY = 1 << 20
"""Bytes scanned without a first pass before it is tried again; doubles each time."""

_RECONFIRM_AFTER = 2 << 20
"""Bytes scanned before it is looked again whether the second pass drops many candidates."""

Candidates = dict[int, Collection[int]]
"""The ids of the expressions that may match in a line, by the offset at which the line ends."""


class Expression(NamedTuple):
    """A Hyperscan expression with the sets of texts that it requires."""

    text: bytes
    literals: tuple[LiteralSet, ...]


class Prefilter:
    """Searches for all expressions at once. refused: the ids of those that Hyperscan refused.

    A large block is scanned in two passes: first for required texts that are rare in this log, then
    with all expressions, but only in the lines that contain such a text. Which texts are rare is
    learned from the log, and learned again when it turns out to be wrong. While most of these lines
    match the expressions that require their texts, there is no second pass.
    """

    def __init__(self, expressions: Sequence[Expression], cache: Path | None) -> None:
        self._expressions, self._cache = tuple(expressions), cache
        self._ids = tuple(range(len(expressions)))
        self.refused: tuple[int, ...] = ()
        try:
            self._database = self._compile(self._ids)
        except hyperscan.error:
            self.refused = tuple(n for n in self._ids if not self._compiles(n))
            self._ids = tuple(n for n in self._ids if n not in self.refused)
            self._database = self._compile(self._ids)
        self._uncovered: hyperscan.Database | None = None
        self._literals = LiteralPrefilter(
            {number: expressions[number].literals for number in self._ids}
        )
        self._has_first_pass = False
        self._retry_after, self._until_retry = _MIN_RETRY, 0
        self._until_confirmation = 0

    def candidates(self, block: bytearray, start: int, end: int) -> Candidates:
        """Find the candidate lines between two offsets. The last line may lack its LF."""
        if self._database is None:
            return {}
        with memoryview(block)[start:end] as data:
            if end - start >= _MIN_BLOCK and self._prepare_first_pass(data):
                return self._scan_twice(self._database, block, start, end)
            found = _scan(self._database, data)
        return {min(start + length, end): found[length] for length in sorted(found)}

    def line_starts(self, block: bytearray, start: int, end: int) -> list[int]:
        """Return where the candidate lines between two offsets start. Meant for small ranges."""
        if self._database is None:
            return []
        with memoryview(block)[start:end] as data:
            ends = sorted(_scan(self._database, data))
        return [block.rfind(b"\n", start, start + length - 1) + 1 or start for length in ends]

    def _prepare_first_pass(self, data: memoryview) -> bool:
        """Return whether a first pass pays. If that is not known, learn it from the data."""
        if not self._has_first_pass:
            self._until_retry -= len(data)
            if self._until_retry <= 0:
                self._has_first_pass = self._literals.choose_literals(data[:_SAMPLE_SIZE])
                uncovered = self._literals.uncovered if self._has_first_pass else ()
                self._uncovered = self._compile(uncovered)
                self._until_retry, self._retry_after = self._retry_after, 2 * self._retry_after
        return self._has_first_pass

    def _scan_twice(
        self, engine: hyperscan.Database, block: bytearray, start: int, end: int
    ) -> Candidates:
        """Find the lines with rare texts; scan all lines for what requires none.

        A second pass, if it pays, drops the lines that match no expression.
        """
        with memoryview(block)[start:end] as data:
            uncovered = {} if self._uncovered is None else _scan(self._uncovered, data)
            texts = self._literals.find(data)
        found: Candidates = {}
        line_end, ids = start, set[int]()
        for length, expressions in texts:
            if start + length > line_end:
                line_end = block.find(b"\n", start + length, end) + 1 or end
                ids = found[line_end] = set()
            ids.update(expressions)
        if found:
            self._has_first_pass = not self._literals.is_saturated(len(found), end - start)
            if self._until_confirmation > 0:
                self._until_confirmation -= end - start
            else:
                found = self._confirm(engine, block, start, found)
        if not uncovered:
            return found
        for length, numbers in uncovered.items():
            line_end = min(start + length, end)
            found[line_end] = {*found.get(line_end, ()), *numbers}
        return {line_end: found[line_end] for line_end in sorted(found)}

    def _confirm(
        self, engine: hyperscan.Database, block: bytearray, start: int, candidates: Candidates
    ) -> Candidates:
        """Scan the candidate lines with all expressions, and learn whether that pays."""
        lines: list[bytearray] = []
        size, block_ends = 0, {}  # by the end of a line in `lines`
        for line_end in candidates:
            line_start = block.rfind(b"\n", start, line_end - 1) + 1 or start
            lines.append(block[line_start:line_end])
            size += line_end - line_start
            block_ends[size] = line_end
        found = _scan(engine, memoryview(b"".join(lines)))
        confirmed: Candidates = {
            block_ends[min(length, size)]: found[length] for length in sorted(found)
        }
        if 2 * _count_ids(confirmed) > _count_ids(candidates):
            self._until_confirmation = _RECONFIRM_AFTER
        return confirmed

    def _compile(self, ids: Sequence[int]) -> hyperscan.Database | None:
        if not ids:
            return None
        texts = [self._expressions[number].text + _TO_LINE_END for number in ids]
        return hyperscan_database.load_or_compile(texts, ids, self._cache)

    def _compiles(self, number: int) -> bool:
        try:
            hyperscan_database.load_or_compile(
                [self._expressions[number].text + _TO_LINE_END], [0], None
            )
        except hyperscan.error:
            return False
        return True


def _count_ids(candidates: Mapping[int, Collection[int]]) -> int:
    return sum(map(len, candidates.values()))


def _scan(engine: hyperscan.Database, data: memoryview) -> dict[int, list[int]]:
    """Return the ids that match in each line, by the end of the line. Adds a missing last LF."""
    found: dict[int, list[int]] = {}
    whole = data if data[-1] == LF else bytes(data) + b"\n"
    # The stubs of Hyperscan name only bytes and str; it accepts any buffer.
    engine.scan(cast("bytes", whole), _add_match, context=found)
    return found


def _add_match(number: int, _start: int, end: int, _flags: int, found: Any) -> None:
    try:
        found[end].append(number)
    except KeyError:
        found[end] = [number]
