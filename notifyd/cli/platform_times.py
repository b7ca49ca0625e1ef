"""Times in the platform's answers, beside the number as people read them."""

import re
from datetime import UTC, datetime

_TIME_KEY = re.compile(
    r"(?i:.*(_at|_time|timestamp|_on|_until)|created|updated|expires)|[a-z][A-Za-z]*At"
)
_EARLIEST, _LATEST = 1e9, 1e10
"""Seconds since the epoch; numbers outside are no times, or in milliseconds."""
_MILLISECONDS = 1000


def with_iso_times(value: object) -> object:
    """Return a JSON value with KEY_iso beside each time that is a number: ISO 8601, in UTC."""
    match value:
        case list():
            return [with_iso_times(item) for item in value]
        case dict():
            result: dict[str, object] = {}
            for key, item in value.items():
                result[key] = with_iso_times(item)
                if (text := _iso(key, item)) and f"{key}_iso" not in value:
                    result[f"{key}_iso"] = text
            return result
    return value


def _iso(key: str, value: object) -> str:
    """Return a time as text; empty for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return ""
    if not _TIME_KEY.fullmatch(key):
        return ""
    seconds = value / _MILLISECONDS if value >= _LATEST else value
    if not _EARLIEST <= seconds < _LATEST:
        return ""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
