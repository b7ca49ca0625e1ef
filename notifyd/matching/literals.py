"""Texts that every match of an approximated pattern contains, for a much faster first pass."""

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Final, NamedTuple

from notifyd.matching.regex_ast import (
    LF,
    Alternation,
    ByteString,
    CharClass,
    Concatenation,
    Node,
    Repetition,
)

MIN_LENGTH: Final = 3
"""Bytes of a text that is worth searching for."""
_MAX_LENGTH = 64
_MAX_TEXTS = 24
"""Texts of one set."""
_MAX_CHARACTERS = 4
"""Characters of a class that is expanded to texts."""
_MAX_SETS = 6


class Literal(NamedTuple):
    """A text within one line; in lower case if `ignore_case`."""

    text: bytes
    ignore_case: bool


LiteralSet = frozenset[Literal]
"""Texts of which every match contains at least one."""

_EMPTY: LiteralSet = frozenset({Literal(b"", ignore_case=False)})


def required_literals(node: Node) -> tuple[LiteralSet, ...]:
    """Return the sets of texts required by a node, the longest first."""
    extractor = _Extractor()
    extractor.read(node)
    extractor.end_run()
    useful = {literals for literals in extractor.found if min_length(literals) >= MIN_LENGTH}
    ordered = sorted(useful, key=lambda texts: (-min_length(texts), len(texts), sorted(texts)))
    return tuple(ordered[:_MAX_SETS])


def min_length(literals: LiteralSet) -> int:
    return min(len(literal.text) for literal in literals)


def to_node(literals: LiteralSet) -> Node:
    """Return a node that matches the texts of a set."""
    return Alternation(
        tuple(
            Concatenation(tuple(_to_char(byte, ignore_case=case) for byte in text))
            for text, case in sorted(literals)
        )
    )


def _to_char(byte: int, *, ignore_case: bool) -> Node:
    if ignore_case and chr(byte).isascii():
        return CharClass(frozenset({byte, ord(chr(byte).upper())}))
    return ByteString(bytes([byte]))


class _Extractor:
    """Walks a node from left to right and joins adjacent texts."""

    def __init__(self) -> None:
        self.found: list[LiteralSet] = []
        self._run = _EMPTY

    def read(self, node: Node) -> None:
        texts = _texts(node)
        if texts is not None:
            joined = _join([self._run, texts])
            if joined is None:
                self.end_run()
            self._run = joined or texts
            return
        match node:
            case Concatenation(items):
                for item in items:
                    self.read(item)
                return
            case Repetition(item, "+"):
                self.read(item)
            case Alternation(items):
                self._read_branches([required_literals(item) for item in items])
        self.end_run()

    def end_run(self) -> None:
        """Record the current text: what follows need not be adjacent to it."""
        self.found.append(frozenset(_clip(literal) for literal in self._run))
        self._run = _EMPTY

    def _read_branches(self, branches: Sequence[tuple[LiteralSet, ...]]) -> None:
        """Combine the best set of each branch, if every branch has one."""
        if all(branches):
            union = frozenset(literal for sets in branches for literal in sets[0])
            if len(union) <= _MAX_TEXTS:
                self.found.append(union)


def _clip(literal: Literal) -> Literal:
    return literal._replace(text=literal.text[:_MAX_LENGTH])


def _texts(node: Node) -> LiteralSet | None:
    """Return all texts that a node matches; None if they are too many."""
    match node:
        case ByteString(value):
            return frozenset({Literal(value, ignore_case=False)})
        case CharClass(codes, non_ascii):
            return None if non_ascii or LF in codes else _characters(codes)
        case Concatenation(items):
            return _join(map(_texts, items))
        case Alternation(items):
            branches = [_texts(item) for item in items]
            if None in branches:
                return None
            union: LiteralSet = frozenset().union(*filter(None, branches))
            return union if len(union) <= _MAX_TEXTS else None
        case Repetition(item, "?"):
            texts = _texts(item)
            return texts and texts | _EMPTY
    return None


def _characters(codes: frozenset[int]) -> LiteralSet | None:
    both = {code for code in codes if ord(chr(code).swapcase()) in codes and chr(code).isalpha()}
    found = {Literal(b"%c" % code, ignore_case=False) for code in codes - both}
    found |= {Literal((b"%c" % code).lower(), ignore_case=True) for code in both}
    return frozenset(found) if 0 < len(found) <= _MAX_CHARACTERS else None


def _join(parts: Iterable[LiteralSet | None]) -> LiteralSet | None:
    """Concatenate adjacent texts; None if they are too many or not all known."""
    whole = _EMPTY
    for texts in parts:
        if texts is None or len(whole) * len(texts) > _MAX_TEXTS:
            return None
        whole = frozenset(_concatenate(first, second) for first, second in product(whole, texts))
    return whole


def _concatenate(first: Literal, second: Literal) -> Literal:
    ignore_case = first.ignore_case or second.ignore_case
    text = first.text + second.text
    return Literal(text.lower() if ignore_case else text, ignore_case)
