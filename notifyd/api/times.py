"""Times in answers: a number for programs, and beside it the same time for people."""

from datetime import datetime

from aiohttp import web

from notifyd.http.responses import json_response

_TIME_KEYS = frozenset(
    {
        *("created", "expires", "changed", "at", "first", "last", "until", "muted_until"),
        *("told_at", "cooling_until", "lasting_since", "last_ping", "deadline"),
    }
)
_TIME_TABLE_KEYS = frozenset({"muted"})
"""Keys of objects whose values are times."""
_SENDER_KEYS = frozenset({"data"})
"""Keys whose values senders wrote; they are not changed."""
_EARLIEST = 1e8
"""Smaller numbers are durations, not times."""


def success(**fields: object) -> web.Response:
    """Return a 200 with `{"success": true}` and further fields, and their times for people."""
    return json_response({"success": True, **with_iso_times(fields)})


def add_iso_times(value: object) -> object:
    """Return an answer with KEY_iso beside each time: ISO 8601, in local time with its offset."""
    match value:
        case list():
            return [add_iso_times(item) for item in value]
        case dict():
            return with_iso_times(value)
    return value


def with_iso_times(answer: dict[str, object]) -> dict[str, object]:
    """Return an object as `add_iso_times` does."""
    result: dict[str, object] = {}
    for key, value in answer.items():
        result[key] = value if key in _SENDER_KEYS else add_iso_times(value)
        if key in _TIME_KEYS and (text := _iso(value)):
            result[f"{key}_iso"] = text
        elif key in _TIME_TABLE_KEYS and isinstance(value, dict):
            result[f"{key}_iso"] = {name: text for name in value if (text := _iso(value[name]))}
    return result


def _iso(value: object) -> str:
    """Return a time as text; empty for a value that is no time."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < _EARLIEST:
        return ""
    try:
        return datetime.fromtimestamp(value).astimezone().isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return ""
