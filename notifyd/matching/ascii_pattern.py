"""Patterns that `re` may decide on ASCII lines: twice as fast as the regex module.

`re` cannot be stopped and holds the GIL, so it gets only lines on which the parse tree of the
pattern bounds the steps of a search. It gets bytes, because only then it has the same whitespace.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from notifyd.matching.approximate import is_exact
from notifyd.matching.cost import safe_length

_MAX_STEPS: Final = 1 << 21
"""This many steps take a few milliseconds at most, during which no other thread runs."""
_READ_OTHERWISE: Final = re.compile(r"\(\?[a-zA-Z]*x|\\B|\(\?>|[*+?}]\+")
r"""Verbose patterns; \B, which in an empty line matches only for the regex module; atomic groups
and possessive repeats, which are wrong in some versions of `re`."""


class AsciiPattern(NamedTuple):
    """search: finds a match in an ASCII line exactly if the regex module does.

    max_length: of these lines, in characters. Negative if `re` may decide none.
    """

    search: Callable[[bytes], object | None]
    max_length: int


_NONE: Final = AsciiPattern(lambda _: None, -1)


def compile_ascii(source: str) -> AsciiPattern:
    """Compile a pattern that is valid for the regex module."""
    if not source.isascii() or _READ_OTHERWISE.search(source) or not is_exact(source):
        return _NONE
    try:
        compiled = re.compile(source.encode())
    except (re.error, ValueError, RecursionError):  # such as \u0041, which bytes do not have
        return _NONE
    return AsciiPattern(compiled.search, safe_length(source, _MAX_STEPS))
