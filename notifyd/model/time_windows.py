"""Times by the clock on the wall: windows that come again on the days of the week."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60
LONGEST = 7 * 86400.0
"""Seconds: windows that leave no gap count as ended after so long."""


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """spans: (start, end) in minutes of the day; an end that is not later lies on the next day.

    days: those on which spans start, 0 for Monday. zone: an IANA name, empty for the local one.
    """

    name: str
    spans: tuple[tuple[int, int], ...]
    days: frozenset[int] = frozenset(range(7))
    zone: str = ""

    def ends(self, wall: float) -> float:
        """Tell when the span ends in which this time (seconds since the epoch) lies; 0 if none.

        A start is in its span, an end is not. Where the clock is set back, a span begins at the
        first reading of its start and ends at the last of its end.
        """
        zone = ZoneInfo(self.zone) if self.zone else None
        today = datetime.fromtimestamp(wall, zone).date()
        latest = 0.0
        for day in (today, today - timedelta(days=1)):
            if day.weekday() not in self.days:
                continue
            for start, end in self.spans:
                last = end if end > start else end + DAY_MINUTES
                until = max(_instant(day, last, zone, fold) for fold in (0, 1))
                if _instant(day, start, zone, 0) <= wall < until:
                    latest = max(latest, until)
        return latest


def _instant(day: date, minute: int, zone: ZoneInfo | None, fold: int) -> float:
    days, minute = divmod(minute, DAY_MINUTES)
    clock = time(minute // 60, minute % 60, fold=fold)
    return datetime.combine(day + timedelta(days=days), clock, zone).timestamp()


def end_of(windows: Iterable[TimeWindow], wall: float) -> float:
    """Tell until when this time lies in any of the windows, one following another; 0 if in none."""
    windows = tuple(windows)
    end = wall
    while end < wall + LONGEST:
        later = max((window.ends(end) for window in windows), default=0.0)
        if later <= end:
            break
        end = later
    return min(end, wall + LONGEST) if end > wall else 0.0
