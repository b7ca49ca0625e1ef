"""What a measurement means for one trigger: the event that it makes, if any."""

from dataclasses import dataclass

from notifyd.config.triggers import ResourceTriggerConfig
from notifyd.model.events import AlertState, Event
from notifyd.model.persistence import Persistence
from notifyd.sources.probes.condition_filter import ConditionFilter
from notifyd.sources.probes.resources.levels import Level, Levels
from notifyd.sources.probes.resources.measurement import Measurement


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """wants_consumers: a limit was passed, and the event is likely to be reported as it is."""

    event: Event
    wants_consumers: bool


class ResourceWatch:
    """Compares the measurements of one trigger with its limits.

    begin_after, end_after: `for` and `clear`, as far as that is a time or a number of times.
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
        self._filter = ConditionFilter(begin_after, end_after)
        self._level: Level | None = None
        self._before: Level | None = None

    def evaluate(self, measured: Measurement, wall: float) -> WatchEvent | None:
        """Return the event that a measurement makes, if the fold needs to see it."""
        level = self._levels.level_of(measured.value, self._level)
        if level is None:
            return None
        if level is not self._level:
            self._before, self._level = self._level, level
        event = self._event(measured, level, wall)
        if not self._filter.admits(event):
            return None
        is_near = self._filter.is_first or self._filter.is_confirmed_by(wall + self.config.every)
        return WatchEvent(event, is_near and level is not Level.OK)

    def _event(self, measured: Measurement, level: Level, wall: float) -> Event:
        state = AlertState.RESOLVED if level is Level.OK else AlertState.FIRING
        facts = {
            "event": "resource",
            "name": measured.name,
            "outcome": level.word,
            "value": f"{measured.value.value:.4g}",
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
