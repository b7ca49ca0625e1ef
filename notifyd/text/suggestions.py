"""Suggestions for misspelt names."""

from collections.abc import Iterable

_MAX_LENGTH = 64
"""Characters compared: known names are shorter, and the cost grows with the square."""


def closest_match(word: str, known: Iterable[str]) -> str:
    """Return the known name closest to `word`, ignoring case; empty if none is close."""
    from difflib import get_close_matches  # noqa: PLC0415 - slow to import and rarely needed

    names = {name.lower(): name for name in known}
    matches = get_close_matches(word[:_MAX_LENGTH].lower(), names, n=1)
    return names[matches[0]] if matches else ""


def did_you_mean(word: str, known: Iterable[str], *, prefix: str = "") -> str:
    """Return "; did you mean 'NAME'?" for the closest known name; empty if none is close.

    prefix: text put before the name, as in "fields.NAME".
    """
    match = closest_match(word, known)
    return f"; did you mean '{prefix}{match}'?" if match else ""
