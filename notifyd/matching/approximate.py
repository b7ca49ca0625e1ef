"""From a pattern, a wider expression that finds at least the lines that the pattern matches.

It is derived from the pattern's parse tree. Anchors and lookarounds are dropped, long repeats
lose their bounds, and whatever can match beyond ASCII accepts every byte from 0x80 on.
"""

import re
import warnings
from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

from notifyd.matching import charset, regex_ast
from notifyd.matching.encoding import FIRST_TRAIL, Layout, layout
from notifyd.matching.literals import Part, any_of, parts
from notifyd.matching.regex_ast import Bytes, Chars, Choice, Node, Repeat, Sequence
from notifyd.text import regex_parser
from notifyd.text.regex_parser import op

_COPIES = 8
_TRAIL = frozenset(range(FIRST_TRAIL, 0x80))
_FUZZY = re.compile(r"\{[\s\d<=]*[deis]\s*[<}+,:\d]")
"""What `regex` may take for approximate matching, and `re` for plain text."""


class Approximation(NamedTuple):
    """Either an expression for the scanning engine, or why there is none: a clause.

    parts: text that is in every line which the expression finds.
    """

    expression: bytes | None
    reason: str = ""
    parts: tuple[Part, ...] = ()


def approximate(pattern: str, encoding: str = "utf-8") -> Approximation:
    """Widen a pattern that the deciding engine accepts."""
    found = layout(encoding)
    if found is Layout.OTHER:
        return Approximation(None, f"{encoding} does not keep ASCII apart from other characters")
    try:
        whole = read(pattern, found).shape
    except ValueError as error:
        return Approximation(None, str(error))
    if regex_ast.nullable(whole):
        return Approximation(None, "it can match an empty piece of text")
    trail = _TRAIL if found is Layout.MIXED else frozenset()
    return Approximation(regex_ast.rendered(regex_ast.trimmed(whole), trail), parts=parts(whole))


class Read(NamedTuple):
    """exact: only anchors were dropped, so that matching it takes no longer than the shape says."""

    shape: Node
    exact: bool


@lru_cache(maxsize=1024)
def read(pattern: str, encoding: Layout) -> Read:
    """Read a pattern as a shape; ValueError says why that cannot be done: a clause."""
    if _FUZZY.search(pattern):
        raise ValueError("it uses approximate matching")
    try:
        with warnings.catch_warnings(action="error", category=FutureWarning):
            tree = regex_parser.parse(pattern)
        flags = regex_parser.flags(tree)
        widener = _Approximator(encoding)
        whole = widener.sequence(tree, flags)
    except (re.error, FutureWarning, OverflowError, RecursionError, ValueError):
        raise ValueError("it uses syntax that only the deciding engine knows") from None
    if flags & re.VERBOSE and "{" in pattern:
        raise ValueError("it is verbose and has braces")
    return Read(whole, widener.exact)


def approximate_in_records(pattern: str, encoding: str = "utf-8") -> Approximation:
    """Give what finds at least one line of each record that the pattern matches."""
    widened = approximate(pattern, encoding)
    if widened.expression is None:
        return widened
    if not widened.parts:
        return Approximation(None, "there is no text that it surely needs")
    part = widened.parts[0]
    return Approximation(regex_ast.rendered(any_of(part)), parts=(part,))


class _Approximator:
    """Walks one parse tree; `flags` are those in force at the place."""

    def __init__(self, encoding: Layout) -> None:
        self._encoding = encoding
        self.exact = True

    def sequence(self, tree: object, flags: int) -> Node:
        items = tuple(self._item(kind, value, flags) for kind, value in tree)  # type: ignore[attr-defined] # no stubs
        return items[0] if len(items) == 1 else Sequence(items)

    def _item(self, kind: object, value: object, flags: int) -> Node:
        caseless = bool(flags & re.IGNORECASE)
        inside = partial(self.sequence, flags=flags)
        match kind, value:
            case op.LITERAL, int(code):
                return self._literal(code, caseless=caseless)
            case op.NOT_LITERAL, int(code):
                return charset.anything_but(code, caseless=caseless)
            case op.ANY, _:
                return Chars(frozenset(range(0x80)), high=True)
            case op.IN, list(members):
                return charset.one_of(members, caseless=caseless)
            case op.BRANCH, (_, list(branches)):
                return Choice(tuple(map(inside, branches)))
            case op.SUBPATTERN, (_, int(added), int(removed), tree):
                return self.sequence(tree, flags & ~removed | added)
            case op.ATOMIC_GROUP, tree:
                return inside(tree)
            case (
                (op.MAX_REPEAT | op.MIN_REPEAT | op.POSSESSIVE_REPEAT),
                (int(low), int(top), tree),
            ):
                return _repeated(inside(tree), low, top)
            case op.AT | op.FAILURE, _:
                return regex_ast.NOTHING
        self.exact = False
        return self._inexact(kind, value, inside)

    def _inexact(self, kind: object, value: object, inside: Callable[[object], Node]) -> Node:
        """Widen what says less, or takes longer, than what is left of it."""
        match kind, value:
            case op.GROUPREF, _:
                return regex_ast.ANYTHING
            case op.GROUPREF_EXISTS, (_, yes, no):
                return Choice((inside(yes), inside(no) if no else regex_ast.NOTHING))
            case op.ASSERT | op.ASSERT_NOT, _:
                return regex_ast.NOTHING
        raise ValueError(f"an unknown part of a pattern: {kind}")

    def _literal(self, code: int, *, caseless: bool) -> Node:
        character = chr(code)
        if caseless or character.isascii():
            return charset.literal(code, caseless=caseless)
        unique = self._encoding is Layout.UTF8 and character != "\ufffd"
        if unique and not 0xD800 <= code <= 0xDFFF:  # noqa: PLR2004 - surrogates have no encoding
            return Bytes(character.encode())
        return charset.literal(code, caseless=False)


def _repeated(item: Node, low: int, top: int) -> Node:
    """Few copies of one character are kept, for they say much; all other bounds are dropped."""
    if top == 0:
        return regex_ast.NOTHING
    if low == 0:
        return Repeat(item, "?" if top == 1 else "*")
    if low == top == 1:
        return item
    if not isinstance(item, Chars | Bytes):
        return Repeat(item, "+")
    copies = [item] * min(low, _COPIES)
    last: Node = item if low == top <= _COPIES else Repeat(item, "+")
    return Sequence((*copies[1:], last))
