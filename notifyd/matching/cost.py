"""How long a line may be on which a pattern needs no time limit.

With a time limit the regex module spends more time on reading the clock than on most lines. Few
patterns need one: a repetition does not backtrack if what follows it cannot begin with what it
repeats, and of many ways to continue only those count where the text that must follow is present.
So the parse tree of a pattern bounds the steps of a search.

The analysis uses FIRST and FOLLOW sets, as a parser generator does.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial, reduce
from itertools import combinations, takewhile
from typing import Final, NamedTuple

from notifyd.matching.approximate import parse
from notifyd.matching.encoding import Layout
from notifyd.matching.regex_ast import (
    ANYTHING,
    Alternation,
    ByteString,
    CharClass,
    Concatenation,
    Node,
    Repetition,
    is_nullable,
)

_MAX_STEPS: Final = 1 << 23
"""This many steps take far less than the time limit."""
_LENGTHS: Final = (128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192)


class _First(NamedTuple):
    """The characters with which a match can begin; `empty` if it can be empty.

    checks: the number of steps that it takes to rule out all of them.
    """

    ascii: frozenset[int] = frozenset()
    non_ascii: bool = False
    empty: bool = False
    checks: int = 1

    def overlaps(self, other: "_First") -> bool:
        return bool(self.ascii & other.ascii) or (self.non_ascii and other.non_ascii)

    def union(self, other: "_First") -> "_First":
        return _First(
            self.ascii | other.ascii,
            self.non_ascii or other.non_ascii,
            self.empty or other.empty,
            self.checks + other.checks,
        )

    def then(self, follow: "_First") -> "_First":
        """Return the set of this followed by something else."""
        return self._replace(empty=False).union(follow) if self.empty else self


class _Cost(NamedTuple):
    """paths: the number of ways to match from one place. steps: to try all of them."""

    paths: int
    steps: int


_ONE: Final = _Cost(1, 1)
_END: Final = _First(empty=True)
_UNBOUNDED: Final = _Cost(1 << 40, 1 << 40)


def safe_length(pattern: str, max_steps: int = _MAX_STEPS) -> int:
    """Return the length in characters up to which a search of any line is fast; 0 if none.

    max_steps: what counts as fast, at most _MAX_STEPS.
    """
    try:
        fitting = bisect_right(_LENGTHS, max_steps, key=partial(_steps, pattern))
    except (ValueError, RecursionError):
        return 0
    return _LENGTHS[fitting - 1] if fitting else 0


@lru_cache(maxsize=4096)
def _steps(pattern: str, length: int) -> int:
    """Bound the steps of a search in a line of this length."""
    node, is_exact = parse(pattern, Layout.UTF8)
    return (
        _cost(Concatenation((ANYTHING, node)), _END, length).steps if is_exact else _UNBOUNDED.steps
    )


def _cost(node: Node, follow: _First, length: int) -> _Cost:
    """Return the cost of a node on a line of this length. follow: what comes after it."""
    match node:
        case Concatenation():
            return _concatenation_cost(tuple(_flatten(node)), follow, length)
        case Alternation(items):
            return _alternation_cost(items, follow, length)
        case Repetition(item, "?"):
            once = _cost(item, follow, length)
            return _Cost(once.paths + (not _is_greedy(item, follow)), once.steps + follow.checks)
        case Repetition(item, _):
            once = _cost(item, _first(item).union(follow), length)
            if once.paths > 1 or is_nullable(item):
                return _UNBOUNDED
            paths = 1 if _is_greedy(item, follow) else length + 1
            return _Cost(paths, (length + 1) * (once.steps + follow.checks))
    return _ONE


def _flatten(node: Node) -> Iterator[Node]:
    if isinstance(node, Concatenation):
        for item in node.items:
            yield from _flatten(item)
    else:
        yield node


def _concatenation_cost(items: Sequence[Node], follow: _First, length: int) -> _Cost:
    reversed_costs: list[_Cost] = []
    for item in reversed(items):
        reversed_costs.append(_ONE if _is_character(item) else _cost(item, follow, length))
        follow = _first(item).then(follow)
    paths, steps, counted = 1, 0, 0
    for index, cost in enumerate(reversed(reversed_costs)):
        steps += paths * cost.steps
        if steps > _MAX_STEPS:
            return _UNBOUNDED
        if counted:  # this character was counted with the repetition before it
            counted -= 1
            continue
        if cost.paths > 1 and _ends_anywhere(items[index]):
            text = list(takewhile(_is_character, items[index + 1 :]))
            counted = len(text)
            steps += paths * cost.paths * counted
            paths *= length // _min_distance(text) + 1
        else:
            paths *= cost.paths
    return _Cost(paths, steps)


def _ends_anywhere(node: Node) -> bool:
    """Return whether each path of a node ends at a different place."""
    return isinstance(node, Repetition) and node.quantifier != "?"


def _is_character(node: Node) -> bool:
    return isinstance(node, CharClass | ByteString)


def _min_distance(text: Sequence[Node]) -> int:
    """Return the least distance between two occurrences of these characters."""
    firsts = [_first(item) for item in text]
    for distance in range(1, len(firsts)):
        shifted = zip(firsts, firsts[distance:], strict=False)
        if all(one.overlaps(other) for one, other in shifted):
            return distance
    return max(1, len(firsts))


def _alternation_cost(items: Sequence[Node], follow: _First, length: int) -> _Cost:
    """Return the cost of the worst branch, if no two branches begin alike; else of all branches."""
    costs = [_cost(item, follow, length) for item in items]
    firsts = [_first(item) for item in items]
    overlap = any(one.overlaps(other) for one, other in combinations(firsts, 2))
    if overlap or any(first.empty for first in firsts):
        return _Cost(sum(cost.paths for cost in costs), sum(cost.steps for cost in costs))
    checks = sum(first.checks for first in firsts)
    return _Cost(max(cost.paths for cost in costs), checks + max(cost.steps for cost in costs))


def _is_greedy(repeated: Node, follow: _First) -> bool:
    """Return whether only the greatest possible number of rounds can lead to a match."""
    return not follow.empty and not _first(repeated).overlaps(follow)


def _first(node: Node) -> _First:
    match node:
        case CharClass(codes, non_ascii):
            return _First(codes, non_ascii)
        case ByteString():  # always a character beyond ASCII
            return _First(non_ascii=True)
        case Concatenation(items):
            return reduce(_First.then, map(_first, items), _END)
        case Alternation(items):
            return reduce(_First.union, map(_first, items))
    first = _first(node.item)
    return first if node.quantifier == "+" else first._replace(empty=True)
