"""The keys of triggers with a timetable: schedules and heartbeats."""

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from notifyd.config.cron import CronSchedule
from notifyd.config.sections import Positive
from notifyd.config.shaping import ResolvedShaping, ShapingConfig
from notifyd.config.times import Cron, Duration, Zone
from notifyd.config.triggers.base import TriggerConfig
from notifyd.model.persistence import AT_ONCE


class ScheduleTriggerConfig(TriggerConfig):
    default_debounce: ClassVar[float] = 0.0
    default_cooldown: ClassVar[float] = 0.0

    type: Literal["schedule"] = "schedule"
    cron: Cron
    """Five fields: minute, hour, day of the month, month, day of the week. A time that passed while
    the daemon was not running is reported once, late."""
    timezone: Zone | None = None
    """IANA time zone. Default: that of the machine."""

    @property
    def schedule(self) -> CronSchedule:
        return CronSchedule(self.cron, self.timezone)


class HeartbeatTriggerConfig(TriggerConfig):
    default_debounce: ClassVar[float] = 0.0
    default_cooldown: ClassVar[float] = 0.0

    type: Literal["heartbeat"] = "heartbeat"
    every: Annotated[Duration, Field(ge=1.0)] | None = None
    """Longest time between two pings; at least `"1s"`. Either `every` or `cron` is required."""
    cron: Cron | None = None
    """When a ping is expected, in place of `every`: minute, hour, day of the month, month, day of
    the week. A time that falls into a stop or a gap in time is skipped."""
    timezone: Zone | None = None
    """IANA time zone of `cron`. Default: that of the machine."""
    grace: Duration | None = None
    """How late a ping may be. Default: a tenth of the time between two pings, at least `"30s"` and
    at most `"1h"`."""
    max_runtime: Positive | None = None
    """Report a run that has not ended this long after its `start` ping. While it runs, no other
    ping is expected. Default: no limit."""

    @property
    def schedule(self) -> CronSchedule | None:
        return None if self.cron is None else CronSchedule(self.cron, self.timezone)

    def shaping(self, defaults: ShapingConfig) -> ResolvedShaping:
        """Resolve the keys. A heartbeat is one condition, which holds as soon as it is known."""
        shaping = super().shaping(defaults)
        return replace(shaping, group_by=(), threshold=1, begin_after=AT_ONCE, end_after=AT_ONCE)

    @property
    def has_conditions(self) -> bool:
        return True
