"""The times of a cron expression on the wall clock. cronsim is imported for the first of them."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

_MOMENT = 1e-4


@dataclass(frozen=True, slots=True)
class CronSchedule:
    """expression: five valid fields. timezone: an IANA name; None for that of the machine."""

    expression: str
    timezone: str | None = None

    def next_time(self, wall: float) -> float:
        """Return the first time after this one, in seconds since the epoch."""
        from cronsim import CronSim

        times = (when.timestamp() for when in CronSim(self.expression, self._local(wall)))
        return next(at for at in times if at > wall)  # at the end of summer time an hour repeats

    def last_time(self, wall: float) -> float:
        """Return the last time up to and including this one, in seconds since the epoch."""
        from cronsim import CronSim

        just_after = self._local(wall + _MOMENT)
        return next(CronSim(self.expression, just_after, reverse=True)).timestamp()

    def format(self, wall: float) -> str:
        """Format a time as "Mon 03:00" in the schedule's time zone."""
        return f"{self._local(wall):%a %H:%M}"

    def _local(self, wall: float) -> datetime:
        return datetime.fromtimestamp(wall, ZoneInfo(self.timezone) if self.timezone else None)
