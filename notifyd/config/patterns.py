"""Checks of regular expressions that need no line."""

import re
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import regex

from notifyd.config.recursive_patterns import is_recursive
from notifyd.text.regex_parser import Item, flags, min_width, op, parse

_NAMED_GROUP = re.compile(r"\(\?P?<([^\W\d]\w*)>")
_DELIMITED = re.compile(r"/((?:[^/\\\n]|\\.)*)/([gimsuxy]+)")
"""A pattern between slashes with flags, as other languages write it."""
_TIME_LIMIT = 1.0
_LF, _CR, _ESC = 0x0A, 0x0D, 0x1B
_START = frozenset({op.AT_BEGINNING, op.AT_BEGINNING_STRING})
_END = frozenset({op.AT_END, op.AT_END_STRING})
_MATCHES_EMPTY = "can match the empty string, so it may match every line"
_UNBOUNDED = 1000
"""A repeat with this maximum or more counts as unbounded."""


def compile_pattern(pattern: str) -> "regex.Pattern[str]":
    """Compile a pattern as the matcher does; raise ValueError with the reason and position."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiled = regex.compile(pattern)
    except regex.error as error:
        raise ValueError(f"invalid regular expression: {error}") from None
    except (RecursionError, OverflowError, MemoryError):
        raise ValueError("invalid regular expression: too large or nested too deeply") from None
    if is_recursive(pattern):
        raise ValueError(
            "invalid regular expression: a group must not call itself; write the levels out"
        )
    return compiled


def named_groups(patterns: Iterable[str]) -> set[str]:
    """Return the names of all groups, also of patterns that do not compile."""
    return {name for pattern in patterns for name in _NAMED_GROUP.findall(pattern)}


def pattern_warnings(
    pattern: str, *, spans_lines: bool = False, sees_visible_text: bool = False
) -> list[str]:
    """Return warnings about patterns that match every line, no line, or backtrack without end.

    spans_lines: whether the pattern sees text of several lines. sees_visible_text: whether escape
    sequences and carriage returns are removed from that text.
    """
    if found := _text_warnings(pattern):
        return found
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = parse(pattern)
        matches_empty = min_width(tree, tree) == 0
        backtracks = any(_can_backtrack(item, tree) for item in tree)
        found = _tree_warnings(tree, spans_lines=spans_lines)
        if sees_visible_text:
            found += _invisible_warnings(tree)
    except (re.error, RecursionError, OverflowError):  # syntax of the regex module only
        matches_empty, backtracks = _matches_empty(pattern), False
    if matches_empty:
        found.append(_MATCHES_EMPTY)
    if backtracks:
        found.append(
            "nested repeats can backtrack without end on some lines; "
            "such a line is abandoned after a time limit and counted as undecided"
        )
    return found


def may_match_every_line(pattern: str) -> bool:
    """Return whether `pattern_warnings` warns that the pattern can match the empty string."""
    return _MATCHES_EMPTY in pattern_warnings(pattern)


def _matches_empty(pattern: str) -> bool:
    try:
        return compile_pattern(pattern).search("", timeout=_TIME_LIMIT) is not None
    except TimeoutError:
        return False


def _text_warnings(pattern: str) -> list[str]:
    """Warn about what another notation was probably meant to say."""
    found = []
    if "\b" in pattern:
        meant = pattern.replace("\b", r"\b")
        found.append(
            'never matches: contains a backspace, because "\\b" in double quotes is one; use '
            f"single quotes: '{meant}'"
        )
    if delimited := _DELIMITED.fullmatch(pattern):
        inner, letters = delimited.groups()
        inline = "".join(letter for letter in "ims" if letter in letters)
        meant = f"(?{inline}){inner}" if inline else inner
        found.append(f"matches the slashes themselves; if they only delimit it, use '{meant}'")
    return found


def _tree_warnings(tree: Any, *, spans_lines: bool) -> list[str]:
    """Warn about parts of a pattern that cannot match in the text of a line."""
    found = []
    if not spans_lines and any(_requires(item, _LF) for item in tree):
        found.append("never matches: a line does not contain its line break; use `multiline`")
    if not flags(tree) & re.MULTILINE:
        sequences = list(_sequences(tree))
        if any(_has_text(after, tree) for items in sequences for _, after in _anchors(items, _END)):
            found.append("`$` before other text never matches: nothing follows the end of a line")
        if any(
            _has_text(before, tree) for items in sequences for before, _ in _anchors(items, _START)
        ):
            found.append("`^` after other text never matches: nothing precedes a line's beginning")
    return found


def _invisible_warnings(tree: Any) -> list[str]:
    """Warn about characters that are removed before the pattern sees a line."""
    return [
        f"never matches: {what} removed from a line before patterns see it; leave {it} out, or set "
        "`raw = true`"
        for code, what, it in (
            (_ESC, "escape sequences, such as colours, are", "them"),
            (_CR, "carriage returns are", "them"),
        )
        if any(_requires(item, code) for item in tree)
    ]


def _sequences(items: Any) -> Iterator[list[Item]]:
    """Yield a sequence without the parentheses of its groups, then each branch likewise."""
    sequence = list(_without_groups(items))
    yield sequence
    for code, value in sequence:
        if code is op.BRANCH:
            for branch in value[1]:
                yield from _sequences(branch)


def _without_groups(items: Any) -> Iterator[Item]:
    for code, value in items:
        if code is op.SUBPATTERN and not value[1] & re.MULTILINE:
            yield from _without_groups(value[3])
        else:
            yield code, value


def _anchors(items: list[Item], kinds: frozenset[object]) -> Iterator[tuple[Any, Any]]:
    """Yield what is before and after each anchor of a sequence."""
    for index, (code, value) in enumerate(items):
        if code is op.AT and value in kinds:
            yield items[:index], items[index + 1 :]


def _has_text(items: Any, tree: Any) -> bool:
    return min_width(items, tree) > 0


def _requires(item: Item, character: int) -> bool:
    """Return whether a character, by its code point, is in every text that the item matches."""
    code, value = item

    def is_required(items: Any) -> bool:
        return any(_requires(each, character) for each in items)

    if code is op.LITERAL:
        return bool(value == character)
    if code is op.IN:
        return list(value) == [(op.LITERAL, character)]
    if code is op.SUBPATTERN:
        return is_required(value[3])
    if code is op.BRANCH:
        return all(map(is_required, value[1]))
    if code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
        return value[0] > 0 and is_required(value[2])
    return False


def _can_backtrack(item: Item, tree: Any, *, repeated: bool = False) -> bool:
    r"""Return whether an unbounded repeat contains another that can match the same text.

    `(a+)+` does; `(\d+,)+` does not, because the comma separates the rounds.
    """
    code, value = item
    if code in (op.MAX_REPEAT, op.MIN_REPEAT):
        _, most, body = value
        if most >= _UNBOUNDED:
            return repeated or _sequence_can_backtrack(body, tree, repeated=True)
        return _sequence_can_backtrack(body, tree, repeated=repeated)
    if code is op.POSSESSIVE_REPEAT:
        return _sequence_can_backtrack(value[2], tree, repeated=False)
    if code is op.ATOMIC_GROUP:
        return _sequence_can_backtrack(value, tree, repeated=False)
    if code is op.SUBPATTERN:
        return _sequence_can_backtrack(value[3], tree, repeated=repeated)
    if code is op.BRANCH:
        return any(_sequence_can_backtrack(branch, tree, repeated=repeated) for branch in value[1])
    if code in (op.ASSERT, op.ASSERT_NOT):
        return _sequence_can_backtrack(value[1], tree, repeated=False)
    return False


def _sequence_can_backtrack(items: Any, tree: Any, *, repeated: bool) -> bool:
    """Check a sequence. Inside a repeat, other required items can separate its rounds."""
    widths = [min_width([item], tree) for item in items]
    for index, item in enumerate(items):
        separated = any(widths[:index] + widths[index + 1 :]) and not _matches_anything(item)
        if _can_backtrack(item, tree, repeated=repeated and not separated):
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
