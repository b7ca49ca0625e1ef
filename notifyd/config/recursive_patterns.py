"""Finds regular expressions that call themselves, as only the regex module can.

A call that consumes no text recurses until the memory is full, and no time limit stops it.
"""

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""
    \\.                                       # an escaped character
    | \[\^?\]?(?:\\.|[^\]\\])*\]              # a set of characters
    | \(\?\#[^)]*\)                           # a comment
    | \(\?(?:
        (?P<whole>R|0)\)                      # a call of the whole pattern
        | (?P<number>[1-9][0-9]*)\)           # of a group
        | (?:&|P>)(?P<called>\w+)\)
        | P?<(?P<name>[^\W\d]\w*)>            # a named group
      )
    | (?P<special>\(\?|\(\*)                  # other syntax in parentheses
    | (?P<group>\()
    | (?P<end>\))
    """,
    re.VERBOSE | re.DOTALL,
)

_Group = int | str
"""A group by its number, or by its name."""
_WHOLE: _Group = 0


def is_recursive(pattern: str) -> bool:
    """Return whether a valid pattern or one of its groups calls itself."""
    if not re.search(r"\(\?(?:R|[0-9]|&|P>)", pattern):
        return False
    calls: dict[_Group, set[_Group]] = {}
    for callers, called in _calls(pattern):
        for caller in callers:
            calls.setdefault(caller, set()).add(called)
    return any(_reaches(calls, group) for group in calls)


def _calls(pattern: str) -> Iterator[tuple[set[_Group], _Group]]:
    """Yield each call: the groups that contain it, the whole pattern included, and its target."""
    opened: list[set[_Group]] = []
    count = 0
    numbers: dict[str, int] = {}
    for token in _TOKEN.finditer(pattern):
        around = {_WHOLE}.union(*opened)
        if token["whole"]:
            yield around, _WHOLE
        elif token["number"]:
            yield around, int(token["number"])
        elif token["called"]:
            yield around, token["called"]
        elif name := token["name"]:
            if name not in numbers:
                count += 1
                numbers[name] = count
            opened.append({name, numbers[name]})
        elif token["group"]:
            count += 1
            opened.append({count})
        elif token["special"]:
            opened.append(set())
        elif token["end"] and opened:
            opened.pop()


def _reaches(calls: dict[_Group, set[_Group]], start: _Group) -> bool:
    """Return whether a group calls itself, directly or through others."""
    seen: set[_Group] = set()
    waiting = list(calls[start])
    while waiting:
        group = waiting.pop()
        if group == start:
            return True
        if group not in seen:
            seen.add(group)
            waiting += calls.get(group, ())
    return False
