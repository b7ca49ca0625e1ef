"""The Retry-After header, in both of its forms."""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

LONGEST = 3600.0
"""Seconds: what a Retry-After is cut to."""

_SECONDS = re.compile(r"\d{1,20}(?:\.\d{1,20})?", re.ASCII)


def retry_after_seconds(header: str, wall: float, date: str = "") -> float:
    """Seconds to wait that a Retry-After asks for; 0 for none, a past time or nonsense.

    wall: now, seconds since the epoch. date: the answer's own Date, from which a time is counted
    where there is one: this machine's clock may be wrong.
    """
    text = header.strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), LONGEST)
    until = _timestamp(text)
    if until is None:
        return 0.0
    since = _timestamp(date)
    return min(max(until - (wall if since is None else since), 0.0), LONGEST)


def _timestamp(text: str) -> float | None:
    """Read an HTTP date, in any of its forms, as seconds since the epoch."""
    try:
        when = parsedate_to_datetime(text)
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        return when.timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
