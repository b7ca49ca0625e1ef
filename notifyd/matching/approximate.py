"""Derives from a pattern an expression for Hyperscan that matches at least the same lines.

It is built from the pattern's parse tree: anchors and lookarounds are dropped, long repeats lose
their bounds, and whatever can match beyond ASCII accepts every byte from 0x80 on.
"""

import re
import warnings
from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

from notifyd.matching import charset, regex_ast
from notifyd.matching.encoding import FIRST_TRAIL, Layout, detect_layout
from notifyd.matching.literals import LiteralSet, required_literals, to_node
from notifyd.matching.regex_ast import (
    Alternation,
    ByteString,
    CharClass,
    Concatenation,
    Node,
    Repetition,
)
from notifyd.text import regex_parser
from notifyd.text.regex_parser import op

_MAX_COPIES = 8
"""Copies of a repeated character that are kept."""
_TRAIL = frozenset(range(FIRST_TRAIL, 0x80))
_APPROXIMATE_MATCHING = re.compile(r"\{[\s\d<=]*[deis]\s*[<}+,:\d]")
"""What `regex` may take for approximate matching, and `re` takes for plain text."""
_POSIX_CLASS = re.compile(r"\[:[^\]]*:\]")
"""What `regex` takes for a POSIX class in a set, such as `[^[:space:]]`; for `re` the set ends."""


class Approximation(NamedTuple):
    """An expression for Hyperscan, or the reason why there is none.

    literals: sets of texts; every line that the expression matches contains a text of each set.
    """

    expression: bytes | None
    reason: str = ""
    literals: tuple[LiteralSet, ...] = ()


def approximate(pattern: str, encoding: str = "utf-8") -> Approximation:
    """Return an expression that finds every line that a valid pattern matches."""
    layout = detect_layout(encoding)
    if layout is Layout.OTHER:
        return Approximation(None, f"{encoding} does not keep ASCII apart from other characters")
    try:
        node = parse(pattern, layout).node
    except ValueError as error:
        return Approximation(None, str(error))
    if regex_ast.is_nullable(node):
        return Approximation(None, "it can match the empty string")
    trail = _TRAIL if layout is Layout.MIXED else frozenset()
    expression = regex_ast.render(regex_ast.trim(node), trail)
    return Approximation(expression, literals=required_literals(node))


def approximate_in_records(pattern: str, encoding: str = "utf-8") -> Approximation:
    """Return an expression that finds at least one line of each record that the pattern matches."""
    approximation = approximate(pattern, encoding)
    if approximation.expression is None:
        return approximation
    if not approximation.literals:
        return Approximation(None, "no fixed text is in every match")
    literals = approximation.literals[0]
    return Approximation(regex_ast.render(to_node(literals)), literals=(literals,))


class ParsedPattern(NamedTuple):
    """is_exact: only anchors were dropped, so the node shows how long matching may take."""

    node: Node
    is_exact: bool


@lru_cache(maxsize=1024)
def parse(pattern: str, layout: Layout) -> ParsedPattern:
    """Convert a pattern to a node; raise ValueError with the reason if that is not possible."""
    if _APPROXIMATE_MATCHING.search(pattern):
        raise ValueError("it uses approximate matching")
    if _POSIX_CLASS.search(pattern):
        raise ValueError("it uses a POSIX class")
    try:
        with warnings.catch_warnings(action="error", category=FutureWarning):
            tree = regex_parser.parse(pattern)
        flags = regex_parser.flags(tree)
        converter = _Converter(layout)
        node = converter.convert(tree, flags)
    except (re.error, FutureWarning, OverflowError, RecursionError, ValueError):
        raise ValueError("it uses syntax that only the regex module supports") from None
    if flags & re.VERBOSE and "{" in pattern:
        raise ValueError("it is verbose and contains braces")
    return ParsedPattern(node, converter.is_exact)


def is_exact(pattern: str) -> bool:
    """Return whether a pattern is a regular expression in the narrow sense, with anchors.

    It has no backreferences and no lookarounds, and `re` and the regex module read it alike.
    """
    try:
        return parse(pattern, Layout.UTF8).is_exact
    except ValueError:
        return False


class _Converter:
    """Converts one parse tree. `flags` are those in force at a place of the pattern."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.is_exact = True

    def convert(self, tree: object, flags: int) -> Node:
        items = tuple(self._convert_item(kind, value, flags) for kind, value in tree)  # type: ignore[attr-defined] # no stubs
        return items[0] if len(items) == 1 else Concatenation(items)

    def _convert_item(self, kind: object, value: object, flags: int) -> Node:
        ignore_case = bool(flags & re.IGNORECASE)
        convert = partial(self.convert, flags=flags)
        match kind, value:
            case op.LITERAL, int(code):
                return self._convert_literal(code, ignore_case=ignore_case)
            case op.NOT_LITERAL, int(code):
                return charset.from_negated_literal(code, ignore_case=ignore_case)
            case op.ANY, _:
                return CharClass(frozenset(range(0x80)), non_ascii=True)
            case op.IN, list(members):
                return charset.from_members(members, ignore_case=ignore_case)
            case op.BRANCH, (_, list(branches)):
                return Alternation(tuple(map(convert, branches)))
            case op.SUBPATTERN, (_, int(added), int(removed), tree):
                return self.convert(tree, flags & ~removed | added)
            case op.ATOMIC_GROUP, tree:
                return convert(tree)
            case (
                (op.MAX_REPEAT | op.MIN_REPEAT | op.POSSESSIVE_REPEAT),
                (int(low), int(high), tree),
            ):
                return _repeat(convert(tree), low, high)
            case op.AT | op.FAILURE, _:
                return regex_ast.EMPTY
        self.is_exact = False
        return self._convert_inexactly(kind, value, convert)

    def _convert_inexactly(
        self, kind: object, value: object, convert: Callable[[object], Node]
    ) -> Node:
        """Convert what matches less, or takes longer, than the resulting node."""
        match kind, value:
            case op.GROUPREF, _:
                return regex_ast.ANYTHING
            case op.GROUPREF_EXISTS, (_, yes, no):
                return Alternation((convert(yes), convert(no) if no else regex_ast.EMPTY))
            case op.ASSERT | op.ASSERT_NOT, _:
                return regex_ast.EMPTY
        raise ValueError(f"unknown part of a pattern: {kind}")

    def _convert_literal(self, code: int, *, ignore_case: bool) -> Node:
        character = chr(code)
        if ignore_case or character.isascii():
            return charset.from_literal(code, ignore_case=ignore_case)
        is_unambiguous = self._layout is Layout.UTF8 and character != "\ufffd"
        if is_unambiguous and not 0xD800 <= code <= 0xDFFF:  # noqa: PLR2004 - surrogates cannot be encoded
            return ByteString(character.encode())
        return charset.from_literal(code, ignore_case=False)


def _repeat(item: Node, low: int, high: int) -> Node:
    """Keep a few copies of a repeated character, which is selective; drop all other bounds."""
    if high == 0:
        return regex_ast.EMPTY
    if low == 0:
        return Repetition(item, "?" if high == 1 else "*")
    if low == high == 1:
        return item
    if not isinstance(item, CharClass | ByteString):
        return Repetition(item, "+")
    copies = [item] * min(low, _MAX_COPIES)
    last: Node = item if low == high <= _MAX_COPIES else Repetition(item, "+")
    return Concatenation((*copies[1:], last))
