"""What a measurement means for one trigger: the event that it makes, if any."""

from dataclasses import dataclass

from notifyd.config.triggers import ResourceTriggerConfig
from notifyd.model.events import AlertState, Event
from notifyd.model.persistence import Persistence
from notifyd.sources.probes.resources.levels import Level, Levels
from notifyd.sources.probes.resources.measurement import Measurement

_CLOCK_STEP = 2.0
"""Seconds by which the clocks may part between two measurements before waits restart."""


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """wants_consumers: it is likely to be reported as it is, and a limit was passed."""

    event: Event
    wants_consumers: bool


class ResourceWatch:
    """Compares the measurements of one trigger with its limits.

    begin_after, end_after: how long, or how often in a row, the fold waits for a change to last.
    Events of one state are repeated meanwhile, so that the report has the last values.
    """

    def __init__(
        self,
        name: str,
        config: ResourceTriggerConfig,
        *,
        begin_after: Persistence,
        end_after: Persistence,
    ) -> None:
        self.name, self.config = name, config
        self._levels = Levels(config)
        self._begin_after, self._end_after = begin_after, end_after
        self._level: Level | None = None
        self._before: Level | None = None
        self._wait = Persistence()
        self._since = 0.0
        self._count = 0
        self._clocks: tuple[float, float] | None = None

    def evaluate(self, measured: Measurement, mono: float, wall: float) -> WatchEvent | None:
        """Return the event that a measurement makes. mono, wall: seconds by both clocks."""
        level = self._levels.level_of(measured.value, self._level)
        if level is None:
            return None
        if level is not self._level:
            self._wait = self._wait_for(level)
            self._before, self._level = self._level, level
            self._since, self._count = mono, 0
        elif self._is_after_gap(mono, wall):
            self._since = mono
        self._clocks = mono, wall
        self._count += 1
        left = self._since + self._wait.seconds - mono
        is_timed = self._wait.seconds > 0 and left >= -self.config.every
        if self._count > self._wait.times and not is_timed:
            return None
        is_last = self._count >= self._wait.times and left <= self.config.every
        return WatchEvent(self._event(measured, level, wall), is_last and level is not Level.OK)

    def _event(self, measured: Measurement, level: Level, wall: float) -> Event:
        state = AlertState.RESOLVED if level is Level.OK else AlertState.FIRING
        facts = {
            "event": "resource",
            "name": measured.name,
            "outcome": level.word,
            "after": f"limit: {self._levels.limit_of(level)}",
        }
        line = f"{measured.name}: {measured.text} ({self._label(level)})"
        return Event(self.name, wall, line, facts=facts, alert_state=state)

    def _label(self, level: Level) -> str:
        if level is Level.OK:
            return "ok again"
        if level is Level.WARNING and self._before is Level.CRITICAL:
            return "warning, no longer critical"
        return level.word

    def _wait_for(self, level: Level) -> Persistence:
        """Return what the fold waits for: where that is unknown, the longer wait."""
        if self._level is not None:
            return self._begin_after if level > self._level else self._end_after
        waits = self._begin_after, self._end_after
        return Persistence(max(wait.seconds for wait in waits), max(wait.times for wait in waits))

    def _is_after_gap(self, mono: float, wall: float) -> bool:
        if self._clocks is None:
            return False
        passed, by_wall = mono - self._clocks[0], wall - self._clocks[1]
        return abs(by_wall - passed) > _CLOCK_STEP
