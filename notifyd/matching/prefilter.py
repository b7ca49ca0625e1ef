"""Which lines of a block may match which expressions: never fewer than those that do."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import hyperscan

from notifyd.matching import database
from notifyd.matching.literal_prefilter import LiteralPrefilter
from notifyd.matching.literals import Part
from notifyd.matching.regex_ast import LF

_TO_LINE_END = rb"[^\n]*\n"
"""Ends every expression, so that the engine reports once per line and never once per byte."""

_LARGE = 32 << 10
"""Bytes from which on a first look pays."""
_SAMPLE = 128 << 10
_PATIENCE = 1 << 20
"""Bytes that are looked at in full before the first look is tried again; doubles each time."""

Proposal = dict[int, list[int]]
"""By the offset behind each proposed line, the numbers of expressions."""


class Expression(NamedTuple):
    """parts: text without which it does not match."""

    text: bytes
    parts: tuple[Part, ...]


class Prefilter:
    """Looks for all expressions at once. refused: the numbers of those that the engine refused.

    Large blocks are looked at twice: for rare text, and then in full at the few lines that hold
    such text. It is learnt from the log what is rare in it, anew whenever that turns out wrong.
    """

    def __init__(self, expressions: Sequence[Expression], cache: Path | None) -> None:
        self._expressions, self._cache = tuple(expressions), cache
        self._numbers = tuple(range(len(expressions)))
        self.refused: tuple[int, ...] = ()
        try:
            self._whole = self._compiled(self._numbers)
        except hyperscan.error:
            self.refused = tuple(n for n in self._numbers if not self._possible(n))
            self._numbers = tuple(n for n in self._numbers if n not in self.refused)
            self._whole = self._compiled(self._numbers)
        self._rest: hyperscan.Database | None = None
        self._sieve = LiteralPrefilter([expressions[number].parts for number in self._numbers])
        self._sieving = False
        self._patience, self._wait = _PATIENCE, 0

    def proposed(self, block: bytearray, start: int, end: int) -> Proposal:
        """Find the lines between two offsets, of which the last may lack its LF."""
        if self._whole is None:
            return {}
        with memoryview(block)[start:end] as data:
            if end - start >= _LARGE and self._ready(data):
                found = self._sieved(self._whole, block, start, end)
            else:
                found = _scanned(self._whole, data)
        return {min(start + length, end): found[length] for length in sorted(found)}

    def begins(self, block: bytearray, start: int, end: int) -> list[int]:
        """List where the lines begin that may match, between two offsets close to each other."""
        if self._whole is None:
            return []
        with memoryview(block)[start:end] as data:
            behind = sorted(_scanned(self._whole, data))
        return [block.rfind(b"\n", start, start + length - 1) + 1 or start for length in behind]

    def _ready(self, data: memoryview) -> bool:
        """Whether a first look is worth while; learns what it has to look for."""
        if not self._sieving:
            self._wait -= len(data)
            if self._wait <= 0:
                self._sieving = self._sieve.learn(data[:_SAMPLE])
                rest = tuple(self._numbers[index] for index in self._sieve.rest)
                self._rest = self._compiled(rest) if self._sieving else None
                self._wait, self._patience = self._patience, 2 * self._patience
        return self._sieving

    def _sieved(
        self, whole: hyperscan.Database, block: bytearray, start: int, end: int
    ) -> Proposal:
        """Look at the lines that hold rare text, and for what has none at all lines."""
        with memoryview(block)[start:end] as data:
            found = {} if self._rest is None else _scanned(self._rest, data)
            ends = self._sieve.ends(data)
        lines: list[bytearray] = []
        behind: dict[int, int] = {}
        size, last = 0, start
        for length in ends:
            at = start + length
            if at > last:
                first = block.rfind(b"\n", last, at) + 1 or last
                last = block.find(b"\n", at, end) + 1 or end
                lines.append(block[first:last])
                size += last - first
                behind[size] = last - start
        if lines:
            self._sieving = not self._sieve.too_many(len(lines), end - start)
            for length, numbers in _scanned(whole, memoryview(b"".join(lines))).items():
                place = behind[min(length, size)]
                found[place] = [*found.get(place, ()), *numbers]
        return found

    def _compiled(self, numbers: Sequence[int]) -> hyperscan.Database | None:
        if not numbers:
            return None
        texts = [self._expressions[number].text + _TO_LINE_END for number in numbers]
        return database.load(texts, numbers, self._cache)

    def _possible(self, number: int) -> bool:
        try:
            database.load([self._expressions[number].text + _TO_LINE_END], [0], None)
        except hyperscan.error:
            return False
        return True


def _scanned(engine: hyperscan.Database, data: memoryview) -> Proposal:
    """Find, by the offset behind each line, what the engine proposes; adds an LF that lacks."""
    found: Proposal = {}
    whole = data if data[-1] == LF else bytes(data) + b"\n"
    # The engine's types name only bytes and str; it takes any buffer.
    engine.scan(cast("bytes", whole), _note, context=found)
    return found


def _note(number: int, _start: int, end: int, _flags: int, found: Any) -> None:
    try:
        found[end].append(number)
    except KeyError:
        found[end] = [number]
