"""Parse trees of regular expressions, from the standard library's own parser.

That parser is private and may change with any version of Python. This is the only module that
imports it; `tests/unit/test_regex_parser.py` checks the form of the trees that others rely on.

A tree is a sequence of items `(opcode, value)`. The opcodes are the attributes of `op`.
"""

from collections.abc import Iterable
from re import _constants as op  # type: ignore[attr-defined]  # private
from re import _parser  # type: ignore[attr-defined]  # private
from typing import Any

__all__ = ["Item", "flags", "min_width", "op", "parse"]

Item = tuple[object, Any]


def parse(pattern: str) -> Any:
    """Return the tree of a pattern.

    Raise re.error, RecursionError or OverflowError as `re.compile` does, and warn as it does.
    """
    return _parser.parse(pattern)


def flags(tree: Any) -> int:
    """Return the flags in force for a whole pattern, given the tree that `parse` returned."""
    return int(tree.state.flags)


def min_width(items: Iterable[Item], tree: Any) -> int:
    """Return the least number of characters that a sequence of items of a tree matches.

    tree: what `parse` returned; it knows the groups that the items refer to.
    """
    return int(_parser.SubPattern(tree.state, list(items)).getwidth()[0])
