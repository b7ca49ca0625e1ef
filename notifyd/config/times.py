"""Setting types for times and sizes: durations, spans of the day, days, time zones, cron."""

import re
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BeforeValidator

from notifyd.config.values import DISTINCT, LISTED, SOME
from notifyd.model.time_windows import DAY_MINUTES, DAYS
from notifyd.text.durations import parse_duration, parse_size
from notifyd.text.suggestions import did_you_mean

_SPAN = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")


def _span(value: object) -> object:
    """Read "22:00-07:00" as the minutes of the day where a span begins and ends."""
    found = _SPAN.fullmatch(value.replace(" ", "")) if isinstance(value, str) else None
    if found is None:
        raise ValueError('is no span of time: write one like "22:00-07:00"')
    hour, minute, to_hour, to_minute = found.groups(default="")
    start = int(hour) * 60 + int(minute)
    end = int(to_hour) * 60 + int(to_minute) if to_hour else DAY_MINUTES
    if start == end:
        raise ValueError('ends when it begins: for whole days write "00:00-24:00"')
    return start, end


def _day(value: str) -> str:
    if value not in DAYS:
        raise ValueError(f"must be one of: {', '.join(DAYS)}{did_you_mean(value, DAYS)}")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = did_you_mean(value, available_timezones()) or "; write one like Europe/Berlin"
        raise ValueError(f"is no time zone{near}") from None
    return value


def _cron(value: str) -> str:
    try:
        next(CronSim(value, datetime(2000, 1, 1)))  # noqa: DTZ001 - whether it ever comes
    except StopIteration:
        raise ValueError("names a time that never comes") from None
    except CronSimError as error:
        form = 'write five fields, such as "30 9 * * mon-fri"'
        raise ValueError(f"is no cron expression ({str(error).lower()}): {form}") from None
    return value


Span = Annotated[tuple[int, int], BeforeValidator(_span)]
Day = Annotated[str, AfterValidator(_day)]
Spans = Annotated[list[Span], SOME, LISTED]
Days = Annotated[list[Day], SOME, DISTINCT, LISTED]
Zone = Annotated[str, AfterValidator(_zone)]
Cron = Annotated[str, AfterValidator(_cron)]
Duration = Annotated[float, BeforeValidator(parse_duration)]
Size = Annotated[int, BeforeValidator(parse_size)]
