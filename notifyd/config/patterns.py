"""Checks of regular expressions that need no line."""

import re
import warnings
from collections.abc import Iterable
from typing import Any

import regex

from notifyd.text.regex_parser import Item, min_width, op, parse

_NAMED_GROUP = re.compile(r"\(\?P?<([^\W\d]\w*)>")
_UNBOUNDED = 1000
"""A repeat with this maximum or more counts as unbounded."""


def compile_pattern(pattern: str) -> "regex.Pattern[str]":
    """Compile a pattern as the matcher does; raise ValueError with the reason and position."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return regex.compile(pattern)
    except regex.error as error:
        raise ValueError(f"invalid regular expression: {error}") from None
    except (RecursionError, OverflowError, MemoryError):
        raise ValueError("invalid regular expression: too large or nested too deeply") from None


def named_groups(patterns: Iterable[str]) -> set[str]:
    """Return the names of all groups, also of patterns that do not compile."""
    return {name for pattern in patterns for name in _NAMED_GROUP.findall(pattern)}


def pattern_warnings(pattern: str) -> list[str]:
    """Return warnings about matching the empty string and about unbounded backtracking."""
    found = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = parse(pattern)
        matches_empty = min_width(tree) == 0
        backtracks = any(_can_backtrack(item) for item in tree)
    except (re.error, RecursionError, OverflowError):  # syntax of the regex module only
        matches_empty, backtracks = compile_pattern(pattern).search("") is not None, False
    if matches_empty:
        found.append("can match the empty string, so it may match every line")
    if backtracks:
        found.append(
            "nested repeats can backtrack without end on some lines; "
            "such a line is abandoned after a time limit and counted as undecided"
        )
    return found


def may_match_every_line(pattern: str) -> bool:
    """Return whether `pattern_warnings` warns that the pattern can match the empty string."""
    return any("empty string" in warning for warning in pattern_warnings(pattern))


def _can_backtrack(item: Item, *, repeated: bool = False) -> bool:
    r"""Return whether an unbounded repeat contains another that can match the same text.

    `(a+)+` does; `(\d+,)+` does not, because the comma separates the rounds.
    """
    code, value = item
    if code in (op.MAX_REPEAT, op.MIN_REPEAT):
        _, most, body = value
        if most >= _UNBOUNDED:
            return repeated or _sequence_can_backtrack(body, repeated=True)
        return _sequence_can_backtrack(body, repeated=repeated)
    if code is op.POSSESSIVE_REPEAT:
        return _sequence_can_backtrack(value[2], repeated=False)
    if code is op.ATOMIC_GROUP:
        return _sequence_can_backtrack(value, repeated=False)
    if code is op.SUBPATTERN:
        return _sequence_can_backtrack(value[3], repeated=repeated)
    if code is op.BRANCH:
        return any(_sequence_can_backtrack(branch, repeated=repeated) for branch in value[1])
    if code in (op.ASSERT, op.ASSERT_NOT):
        return _sequence_can_backtrack(value[1], repeated=False)
    return False


def _sequence_can_backtrack(items: Any, *, repeated: bool) -> bool:
    """Check a sequence. Inside a repeat, other required items can separate its rounds."""
    widths = [min_width([item]) for item in items]
    for index, item in enumerate(items):
        separated = any(widths[:index] + widths[index + 1 :]) and not _matches_anything(item)
        if _can_backtrack(item, repeated=repeated and not separated):
            return True
    return False


def _matches_anything(item: Item) -> bool:
    """Return whether an item is `.*` or similar, which matches any separator as well."""
    code, value = item
    if code is op.SUBPATTERN:
        return any(_matches_anything(inner) for inner in value[3])
    if code not in (op.MAX_REPEAT, op.MIN_REPEAT) or value[1] < _UNBOUNDED:
        return False
    return any(inner[0] is op.ANY for inner in value[2])
