"""Text without which a widened pattern cannot match, for a first and far quicker look."""

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Final, NamedTuple

from notifyd.matching import regex_ast
from notifyd.matching.regex_ast import LF, Bytes, Chars, Choice, Node, Repeat

SHORTEST: Final = 3
"""Bytes of a text that is worth looking for."""
_LONGEST = 64
_TEXTS = 24
_CHARACTERS = 4
_PARTS = 6


class Literal(NamedTuple):
    """text: within one line, in lower case if its case does not matter."""

    text: bytes
    caseless: bool


Part = frozenset[Literal]
"""Of these at least one is in whatever the pattern matches."""

_EMPTY: Part = frozenset({Literal(b"", caseless=False)})


def parts(whole: Node) -> tuple[Part, ...]:
    """List what must be there, the longest first; none of it crosses the end of a line."""
    reader = _Reader()
    reader.read(whole)
    reader.cut()
    useful = {part for part in reader.found if shortest(part) >= SHORTEST}
    return tuple(
        sorted(useful, key=lambda part: (-shortest(part), len(part), sorted(part)))[:_PARTS]
    )


def shortest(part: Part) -> int:
    return min(len(literal.text) for literal in part)


def any_of(part: Part) -> Node:
    """Write a part as a shape of its own."""
    return Choice(
        tuple(
            regex_ast.Sequence(tuple(_char(byte, caseless=caseless) for byte in text))
            for text, caseless in sorted(part)
        )
    )


def _char(byte: int, *, caseless: bool) -> Node:
    if caseless and chr(byte).isascii():
        return Chars(frozenset({byte, ord(chr(byte).upper())}))
    return Bytes(bytes([byte]))


class _Reader:
    """Walks a shape from left to right and joins what stands side by side."""

    def __init__(self) -> None:
        self.found: list[Part] = []
        self._run = _EMPTY

    def read(self, item: Node) -> None:
        texts = _texts(item)
        if texts is not None:
            joined = _joined([self._run, texts])
            if joined is None:
                self.cut()
            self._run = joined or texts
            return
        match item:
            case regex_ast.Sequence(items):
                for inner in items:
                    self.read(inner)
                return
            case Repeat(inner, "+"):
                self.read(inner)
            case Choice(items):
                self._either([parts(inner) for inner in items])
        self.cut()

    def cut(self) -> None:
        """End a run: what comes next need not stand beside it."""
        self.found.append(frozenset(_short(literal) for literal in self._run))
        self._run = _EMPTY

    def _either(self, choices: Sequence[tuple[Part, ...]]) -> None:
        """Take the best part of each branch, if every branch has one."""
        if all(choices):
            together = frozenset(literal for found in choices for literal in found[0])
            if len(together) <= _TEXTS:
                self.found.append(together)


def _short(literal: Literal) -> Literal:
    return literal._replace(text=literal.text[:_LONGEST])


def _texts(item: Node) -> Part | None:
    """List all that a shape matches; None if that is too much."""
    match item:
        case Bytes(value):
            return frozenset({Literal(value, caseless=False)})
        case Chars(codes, high):
            return None if high or LF in codes else _characters(codes)
        case regex_ast.Sequence(items):
            return _joined(map(_texts, items))
        case Choice(items):
            every = [_texts(inner) for inner in items]
            if None in every:
                return None
            union: Part = frozenset().union(*filter(None, every))
            return union if len(union) <= _TEXTS else None
        case Repeat(inner, "?"):
            some = _texts(inner)
            return some and some | _EMPTY
    return None


def _characters(codes: frozenset[int]) -> Part | None:
    both = {code for code in codes if ord(chr(code).swapcase()) in codes and chr(code).isalpha()}
    found = {Literal(b"%c" % code, caseless=False) for code in codes - both}
    found |= {Literal((b"%c" % code).lower(), caseless=True) for code in both}
    return frozenset(found) if 0 < len(found) <= _CHARACTERS else None


def _joined(each: Iterable[Part | None]) -> Part | None:
    """Join texts that follow each other; None if they are too many or not all known."""
    whole = _EMPTY
    for more in each:
        if more is None or len(whole) * len(more) > _TEXTS:
            return None
        whole = frozenset(_one(first, then) for first, then in product(whole, more))
    return whole


def _one(first: Literal, then: Literal) -> Literal:
    caseless = first.caseless or then.caseless
    text = first.text + then.text
    return Literal(text.lower() if caseless else text, caseless)
