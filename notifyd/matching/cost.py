"""How long a line may be on which a pattern surely needs no time limit.

Asked for a limit, the deciding engine spends more time on asking for the time than on most lines.
Few patterns need one: a repeat does not backtrack where what follows cannot begin with what is
repeated, and of many ways to go on only those matter where the text that must follow is there. So
the steps of a search are bounded by what the pattern's parse tree says.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import combinations, takewhile
from typing import Final, NamedTuple

from notifyd.matching import regex_ast
from notifyd.matching.approximate import read
from notifyd.matching.encoding import Layout
from notifyd.matching.regex_ast import ANYTHING, Bytes, Chars, Choice, Node, Repeat

_STEPS: Final = 1 << 23
"""As many take far less than the time limit."""
_LENGTHS: Final = tuple(1 << power for power in range(7, 14))


class _Next(NamedTuple):
    """What must come next: one of these characters, or nothing at all if `end`.

    looks: how many steps it takes to see that it is none of them.
    """

    ascii: frozenset[int] = frozenset()
    high: bool = False
    end: bool = False
    looks: int = 1

    def meets(self, other: "_Next") -> bool:
        return bool(self.ascii & other.ascii) or (self.high and other.high)

    def or_else(self, other: "_Next") -> "_Next":
        return _Next(
            self.ascii | other.ascii,
            self.high or other.high,
            self.end or other.end,
            self.looks + other.looks,
        )

    def before(self, other: "_Next") -> "_Next":
        """If this may be nothing, the other may come in its place."""
        return self._replace(end=False).or_else(other) if self.end else self


class _Work(NamedTuple):
    """ways: in how many ways something can match from one place. steps: to go through all."""

    ways: int
    steps: int


_ONE: Final = _Work(1, 1)
_NOTHING: Final = _Next(end=True)
_ENDLESS: Final = _Work(1 << 40, 1 << 40)


def safe_length(pattern: str) -> int:
    """Give the length in characters up to which a search ends soon, whatever the line; maybe 0."""
    try:
        whole, exact = read(pattern, Layout.UTF8)
        anywhere = regex_ast.Sequence((ANYTHING, whole))
        fits = bisect_right(_LENGTHS, _STEPS, key=lambda n: _work(anywhere, _NOTHING, n).steps)
    except (ValueError, RecursionError):
        return 0
    return _LENGTHS[fits - 1] if exact and fits else 0


def _work(item: Node, behind: _Next, length: int) -> _Work:
    match item:
        case regex_ast.Sequence():
            return _in_turn(tuple(_flat(item)), behind, length)
        case Choice(items):
            return _either(items, behind, length)
        case Repeat(inner, "?"):
            once = _work(inner, behind, length)
            return _Work(once.ways + (not _stops(inner, behind)), once.steps + behind.looks)
        case Repeat(inner, _):
            once = _work(inner, _first(inner).or_else(behind), length)
            if once.ways > 1 or regex_ast.nullable(inner):
                return _ENDLESS
            ways = 1 if _stops(inner, behind) else length + 1
            return _Work(ways, (length + 1) * (once.steps + behind.looks))
    return _ONE


def _flat(item: Node) -> Iterator[Node]:
    if isinstance(item, regex_ast.Sequence):
        for inner in item.items:
            yield from _flat(inner)
    else:
        yield item


def _in_turn(items: Sequence[Node], behind: _Next, length: int) -> _Work:
    each: list[_Work] = []
    for item in reversed(items):
        each.append(_ONE if _is_character(item) else _work(item, behind, length))
        behind = _first(item).before(behind)
    ways, steps, text = 1, 0, 0
    for index, work in enumerate(reversed(each)):
        steps += ways * work.steps
        if steps > _STEPS:
            return _ENDLESS
        if text:  # it was looked for from every place at which the repeat before it can stop
            text -= 1
            continue
        if work.ways > 1 and _stops_anywhere(items[index]):
            run = list(takewhile(_is_character, items[index + 1 :]))
            text = len(run)
            steps += ways * work.ways * text
            ways *= length // _apart(run) + 1
        else:
            ways *= work.ways
    return _Work(ways, steps)


def _stops_anywhere(item: Node) -> bool:
    """Whether each of its ways ends at another place."""
    return isinstance(item, Repeat) and item.mark != "?"


def _is_character(item: Node) -> bool:
    return isinstance(item, Chars | Bytes)


def _apart(run: Sequence[Node]) -> int:
    """Tell how far two occurrences of these characters are from each other, at least."""
    each = [_first(item) for item in run]
    for distance in range(1, len(each)):
        if all(one.meets(other) for one, other in zip(each, each[distance:], strict=False)):
            return distance
    return max(1, len(each))


def _either(items: Sequence[Node], behind: _Next, length: int) -> _Work:
    """Where no two branches begin alike only one of them is gone through."""
    each = [_work(item, behind, length) for item in items]
    begins = [_first(item) for item in items]
    alike = any(one.meets(other) for one, other in combinations(begins, 2))
    if alike or any(begin.end for begin in begins):
        return _Work(sum(work.ways for work in each), sum(work.steps for work in each))
    looks = sum(begin.looks for begin in begins)
    return _Work(max(work.ways for work in each), looks + max(work.steps for work in each))


def _stops(repeated: Node, behind: _Next) -> bool:
    """Whether fewer rounds than there can be are of no use."""
    return not behind.end and not _first(repeated).meets(behind)


def _first(item: Node) -> _Next:
    """Tell how something may begin; `end` if it can be nothing."""
    match item:
        case Chars(codes, high):
            return _Next(codes, high)
        case Bytes():  # always a character beyond ASCII
            return _Next(high=True)
        case regex_ast.Sequence(items):
            return reduce(_Next.before, map(_first, items), _NOTHING)
        case Choice(items):
            return reduce(_Next.or_else, map(_first, items))
    begin = _first(item.item)
    return begin if item.mark == "+" else begin._replace(end=True)
