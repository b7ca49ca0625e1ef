"""The name that was perhaps meant where a misspelt one stands."""

from collections.abc import Iterable

_LOOKED_AT = 64
"""Characters: no name is longer, and comparing takes time by the square of it."""


def closest_match(word: str, known: Iterable[str]) -> str:
    """Give the known name that is closest, whatever its case; empty where none is close."""
    from difflib import get_close_matches  # noqa: PLC0415 - not worth its time until it is needed

    names = {name.lower(): name for name in known}
    found = get_close_matches(word[:_LOOKED_AT].lower(), names, n=1)
    return names[found[0]] if found else ""


def did_you_mean(word: str, known: Iterable[str], *, prefix: str = "") -> str:
    """Go on with a sentence by asking for the closest name; empty where none is close.

    prefix: what stands before the name where it is used.
    """
    near = closest_match(word, known)
    return f"; did you mean '{prefix}{near}'?" if near else ""
