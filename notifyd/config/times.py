"""Value types for times and sizes: durations, time spans, days, time zones, cron expressions."""

import re
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BeforeValidator

from notifyd.config.values.lists import NON_EMPTY, STRING_OR_LIST, UNIQUE
from notifyd.model.persistence import Persistence
from notifyd.model.time_windows import DAY_MINUTES, DAYS
from notifyd.text.durations import parse_duration, parse_size
from notifyd.text.suggestions import did_you_mean

_TIMES = re.compile(r"([0-9]{1,6}) *times?")
_MAX_TIMES = 1000
_CRON_FIELDS = 5
_SPAN = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")


def _parse_span(value: object) -> object:
    """Convert "22:00-07:00" to the minutes of the day at which the span starts and ends."""
    found = _SPAN.fullmatch(value.replace(" ", "")) if isinstance(value, str) else None
    if found is None:
        raise ValueError('invalid time span; use for example "22:00-07:00"')
    hour, minute, to_hour, to_minute = found.groups(default="")
    start = int(hour) * 60 + int(minute)
    end = int(to_hour) * 60 + int(to_minute) if to_hour else DAY_MINUTES
    if start == end:
        raise ValueError('start and end are equal; use "00:00-24:00" for whole days')
    return start, end


def _check_day(value: str) -> str:
    if value not in DAYS:
        raise ValueError(f"must be one of: {', '.join(DAYS)}{did_you_mean(value, DAYS)}")
    return value


def parse_persistence(value: object) -> object:
    """Convert "10m" or "3 times"."""
    if isinstance(value, str) and (found := _TIMES.fullmatch(value.strip())):
        times = int(found[1])
        if not 1 <= times <= _MAX_TIMES:
            raise ValueError(f"must be between 1 and {_MAX_TIMES} times")
        return Persistence(times=times)
    try:
        return Persistence(seconds=parse_duration(value))
    except ValueError as error:
        raise ValueError(f'{error}, or a number of times such as "3 times"') from None


def _check_time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = did_you_mean(value, available_timezones()) or '; use for example "Europe/Berlin"'
        raise ValueError(f"unknown time zone{hint}") from None
    return value


def _check_cron(value: str) -> str:
    from cronsim import CronSim, CronSimError

    form = 'use five fields, for example "30 9 * * mon-fri"'
    if len(value.split()) != _CRON_FIELDS:
        raise ValueError(f"invalid cron expression (wrong number of fields); {form}")
    try:
        next(CronSim(value, datetime(2000, 1, 1)))  # noqa: DTZ001 - any start will do
    except StopIteration:
        raise ValueError("no date ever matches this cron expression") from None
    except CronSimError as error:
        raise ValueError(f"invalid cron expression ({str(error).lower()}); {form}") from None
    return value


Span = Annotated[tuple[int, int], BeforeValidator(_parse_span)]
Day = Annotated[str, AfterValidator(_check_day)]
Spans = Annotated[list[Span], NON_EMPTY, STRING_OR_LIST]
Days = Annotated[list[Day], NON_EMPTY, UNIQUE, STRING_OR_LIST]
Zone = Annotated[str, AfterValidator(_check_time_zone)]
Cron = Annotated[str, AfterValidator(_check_cron)]
Duration = Annotated[float, BeforeValidator(parse_duration)]
Size = Annotated[int, BeforeValidator(parse_size)]
PersistenceValue = Annotated[Persistence, BeforeValidator(parse_persistence)]
