"""Times in answers: a number for programs, and beside it the same time for people."""

from datetime import datetime

from aiohttp import web

from notifyd.http.responses import json_response

_TIME_KEYS = frozenset(
    {
        *("created", "expires", "changed", "at", "first", "last", "until", "muted_until"),
        *("told_at", "cooling_until", "lasting_since"),
    }
)
_TIMES_BY_NAME = frozenset({"muted"})
"""Keys of objects whose values are times."""
_OF_OTHERS = frozenset({"data"})
"""Keys of what senders wrote, which is left alone."""
_EARLIEST = 1e8
"""Numbers below this are no times of this daemon."""


def success(**fields: object) -> web.Response:
    """Return a 200 with `{"success": true}` and further fields, and their times for people."""
    return json_response({"success": True, **_add_to_object(fields)})


def add_iso_times(value: object) -> object:
    """Return an answer with KEY_iso beside each time: ISO 8601, in local time with its offset."""
    match value:
        case list():
            return [add_iso_times(item) for item in value]
        case dict():
            return _add_to_object(value)
    return value


def _add_to_object(answer: dict[str, object]) -> dict[str, object]:
    result: dict[str, object] = {}
    for key, value in answer.items():
        result[key] = value if key in _OF_OTHERS else add_iso_times(value)
        if key in _TIME_KEYS and (text := _iso(value)):
            result[f"{key}_iso"] = text
        elif key in _TIMES_BY_NAME and isinstance(value, dict):
            result[f"{key}_iso"] = {name: text for name in value if (text := _iso(value[name]))}
    return result


def _iso(value: object) -> str:
    """Return a time as text; empty if it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < _EARLIEST:
        return ""
    try:
        return datetime.fromtimestamp(value).astimezone().isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return ""
