"""What can be known of a regular expression before it meets a line."""

import re
import warnings
from collections.abc import Iterable
from re import _constants as op  # type: ignore[attr-defined]  # the parse tree has no public door
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import regex

_NAMED_GROUP = re.compile(r"\(\?P?<([^\W\d]\w*)>")
_UNBOUNDED = 1000
"""So many repeats are as good as without end."""


def compiled(pattern: str) -> "regex.Pattern[str]":
    """Compile as the matcher does; ValueError says what is wrong and where."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return regex.compile(pattern)
    except regex.error as error:
        raise ValueError(f"bad regular expression: {error}") from None
    except (RecursionError, OverflowError, MemoryError):
        raise ValueError("bad regular expression: it is too large or nested too deeply") from None


def named_groups(patterns: Iterable[str]) -> set[str]:
    """List the names of the patterns' groups, also of patterns that are wrong otherwise."""
    return {name for pattern in patterns for name in _NAMED_GROUP.findall(pattern)}


def doubts(pattern: str) -> list[str]:
    """Say what a good pattern rarely does: match nothing at all, or backtrack without end."""
    found = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = parser.parse(pattern)
        empty = tree.getwidth()[0] == 0
        endless = any(_endless(item) for item in tree)
    except (re.error, RecursionError, OverflowError):  # what only the regex module understands
        empty, endless = compiled(pattern).search("") is not None, False
    if empty:
        found.append("can match the empty string, so it may match every line")
    if endless:
        found.append(
            "repeats a repeat and can backtrack without end on some lines: "
            "each such line is given up after a time limit and counted as undecided"
        )
    return found


def _endless(item: Any, *, repeated: bool = False) -> bool:
    r"""Whether an unbounded repeat holds another that could take the same text in many ways.

    `(a+)+` does; `(\d+,)+` does not, because the comma says where each round ends.
    """
    code, value = item
    if code in (op.MAX_REPEAT, op.MIN_REPEAT):
        _, most, body = value
        if most >= _UNBOUNDED:
            return repeated or _body(body, repeated=True)
        return _body(body, repeated=repeated)
    if code is op.POSSESSIVE_REPEAT:
        return _body(value[2], repeated=False)
    if code is op.ATOMIC_GROUP:
        return _body(value, repeated=False)
    if code is op.SUBPATTERN:
        return _body(value[3], repeated=repeated)
    if code is op.BRANCH:
        return any(_body(branch, repeated=repeated) for branch in value[1])
    if code in (op.ASSERT, op.ASSERT_NOT):
        return _body(value[1], repeated=False)
    return False


def _body(items: Any, *, repeated: bool) -> bool:
    """Look into a sequence. Inside a repeat, something that must be there may mark its rounds."""
    least = [_least(item) for item in items]
    for index, item in enumerate(items):
        marked = any(least[:index] + least[index + 1 :]) and not _takes_anything(item)
        if _endless(item, repeated=repeated and not marked):
            return True
    return False


def _least(item: Any) -> int:
    """Count the characters that an item takes at least."""
    state = parser.State()
    return int(parser.SubPattern(state, [item]).getwidth()[0])


def _takes_anything(item: Any) -> bool:
    """Whether an item is `.*` or the like, which takes every mark as well."""
    code, value = item
    if code is op.SUBPATTERN:
        return any(_takes_anything(inner) for inner in value[3])
    if code not in (op.MAX_REPEAT, op.MIN_REPEAT) or value[1] < _UNBOUNDED:
        return False
    return any(inner[0] is op.ANY for inner in value[2])
