"""When a delayed message is due, in the forms that ntfy documents."""

import re
from datetime import datetime, timedelta

from notifyd.text.durations import parse_duration

_UNITS = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_LONG_DURATION = re.compile(
    r"(?:in )?([0-9]{1,9}) ?(d|days?|h|hours?|m|mins?|minutes?|s|secs?|seconds?)"
)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY = rf"today|tomorrow|{'|'.join(_WEEKDAYS)}"
_TIME = r"(?:at )?([0-9]{1,2})(?::([0-9]{2}))? ?(am|pm)?"
_TIME_OF_DAY = re.compile(rf"(?:(?P<day>{_DAY}),? )?{_TIME}(?:,? (?P<last>{_DAY}))?")
_NOON = 12


def parse_delay(text: str, now: float) -> float:
    """Return the seconds until a time; ValueError for a time that is past or not understood.

    text: a Unix timestamp, a duration ("30min", "2 hours", "1h30m"), or a time of day in the
    machine's time zone, with or without a day ("9am", "tomorrow, 10:30", "Monday 3pm"). Source:
    https://docs.ntfy.sh/publish/#scheduled-delivery
    """
    text = " ".join(text.lower().split())
    if _TIMESTAMP.fullmatch(text):
        return _until(float(text), now)
    if found := _LONG_DURATION.fullmatch(text):
        return int(found[1]) * _UNITS[found[2][0]]
    if found := _TIME_OF_DAY.fullmatch(text):
        local = datetime.fromtimestamp(now)  # noqa: DTZ006 - what the machine's clock shows
        return _until(_next_time(found, local).timestamp(), now)
    try:
        return parse_duration(text)
    except ValueError:
        raise _not_understood() from None


def _until(then: float, now: float) -> float:
    if then < now:
        raise ValueError("is in the past")
    return then - now


def _next_time(found: re.Match[str], now: datetime) -> datetime:
    """Return the first such time after `now`; both are local, without a time zone."""
    day = found["day"] or found["last"]
    hour, minute, half = int(found[2]), int(found[3] or 0), found[4]
    if (found["day"] and found["last"]) or (found[3] is None and half is None):
        raise _not_understood()
    if half:
        if not 1 <= hour <= _NOON:
            raise _not_understood()
        hour = hour % _NOON + (_NOON if half == "pm" else 0)
    try:
        due = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    except ValueError:
        raise _not_understood() from None
    if day == "tomorrow":
        return due + timedelta(days=1)
    if day in _WEEKDAYS:
        due += timedelta(days=(_WEEKDAYS.index(day) - now.weekday()) % 7)
        return due if due > now else due + timedelta(days=7)
    return due if due > now or day == "today" else due + timedelta(days=1)


def _not_understood() -> ValueError:
    return ValueError('is not understood; use "30m", "tomorrow, 10am" or a Unix timestamp')
