"""Time windows that recur on days of the week, by wall-clock time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60
LONGEST_SPAN = 7 * 86400.0
"""Seconds after which windows that leave no gap between them count as ended."""


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """A recurring window.

    spans: (start, end) in minutes of the day; an end that is not later lies on the next day.
    days: those on which spans start, 0 for Monday. zone: an IANA name; empty for local time.
    """

    name: str
    spans: tuple[tuple[int, int], ...]
    days: frozenset[int] = frozenset(range(7))
    zone: str = ""

    def span_end(self, wall: float) -> float:
        """Return when the span around a time ends, both in seconds since the epoch; 0 if none.

        The start belongs to the span, the end does not. Where the clock is set back, a span lasts
        from the first time its start is reached to the last time its end is. Where it is set
        forward, a skipped local time means the instant of that change.
        """
        zone = ZoneInfo(self.zone) if self.zone else None
        today = datetime.fromtimestamp(wall, zone).date()
        latest = 0.0
        # Where the clock is set back at midnight, a span of tomorrow may have begun already.
        for day in (today + timedelta(days=1), today, today - timedelta(days=1)):
            if day.weekday() not in self.days:
                continue
            for start, end in self.spans:
                last = end if end > start else end + DAY_MINUTES
                until = max(_instant(day, last, zone, fold) for fold in (0, 1))
                if _instant(day, start, zone, 0) <= wall < until:
                    latest = max(latest, until)
        return latest


def _instant(day: date, minute: int, zone: ZoneInfo | None, fold: int) -> float:
    """Return when the clocks of a zone show a local time.

    fold: 0 for the first time that they show it, 1 for the last. A time that they skip means the
    instant at which they skip it.
    """
    days, minute = divmod(minute, DAY_MINUTES)
    clock = time(minute // 60, minute % 60, fold=fold)
    local = datetime.combine(day + timedelta(days=days), clock, zone)
    instant = local.timestamp()
    if _shown(instant, zone) == local.replace(tzinfo=None, fold=0):
        return instant
    # With the later offset the skipped time lies before the change, with the earlier one after it.
    early, late = sorted(local.replace(fold=fold).timestamp() for fold in (0, 1))
    return _offset_change(int(early), int(late), zone)


def _offset_change(early: int, late: int, zone: ZoneInfo | None) -> float:
    """Return the first second at which the clocks have the offset that they have at `late`."""
    offset = _offset(late, zone)
    while late - early > 1:
        middle = (early + late) // 2
        if _offset(middle, zone) == offset:
            late = middle
        else:
            early = middle
    return float(late)


def _shown(instant: float, zone: ZoneInfo | None) -> datetime:
    """Return what the clocks of a zone show at an instant."""
    return datetime.fromtimestamp(instant, zone).replace(tzinfo=None, fold=0)


def _offset(instant: int, zone: ZoneInfo | None) -> timedelta:
    return _shown(instant, zone) - datetime.fromtimestamp(instant, UTC).replace(tzinfo=None)


def combined_end(windows: Iterable[TimeWindow], wall: float) -> float:
    """Return when windows that follow one another without a gap end; 0 if `wall` is in none."""
    windows = tuple(windows)
    end = wall
    while end < wall + LONGEST_SPAN:
        later = max((window.span_end(end) for window in windows), default=0.0)
        if later <= end:
            break
        end = later
    return min(end, wall + LONGEST_SPAN) if end > wall else 0.0
