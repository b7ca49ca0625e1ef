"""The level of a value: ok, warning or critical, with a distance between begin and end."""

from enum import IntEnum
from typing import NamedTuple

from notifyd.config.resource_limits import (
    ClearingLimit,
    ResourceLimit,
    ResourceValue,
    default_gap,
)
from notifyd.config.triggers import ResourceTriggerConfig


class Level(IntEnum):
    OK = 0
    WARNING = 1
    CRITICAL = 2

    @property
    def word(self) -> str:
        return self.name.lower()


class _LevelLimits(NamedTuple):
    """enter: passed where the level begins. stay: passed as long as it lasts."""

    level: Level
    enter: ResourceLimit
    stay: ResourceLimit


class Levels:
    """The limits of one trigger, whose configuration was checked."""

    def __init__(self, config: ResourceTriggerConfig) -> None:
        pairs = zip((Level.WARNING, Level.CRITICAL), config.limits, strict=True)
        limits = {
            level: limit.in_units_of(config.resource) for level, limit in pairs if limit is not None
        }
        first = min(limits)
        gap = default_gap(limits[first], config.resource) if config.clear is None else 0.0
        if isinstance(config.clear, ClearingLimit) and config.clear.limit is not None:
            clear = config.clear.limit.in_units_of(config.resource)
            gap = abs(limits[first].number - clear.number)
        self._limits = [
            _LevelLimits(
                level,
                limits[level],
                limits[level].eased_by(gap if limits[level].is_comparable(limits[first]) else 0.0),
            )
            for level in sorted(limits, reverse=True)
        ]

    def level_of(self, value: ResourceValue, before: Level | None) -> Level | None:
        """Return the level of a value. before: the last one; None if it is unknown.

        None: it is unknown, because the value is between the begin and the end of a level.
        """
        level = self._level(value, before or Level.OK)
        if before is None and level is Level.OK:
            return None if self._level(value, Level.CRITICAL) is not Level.OK else Level.OK
        return level

    def limit_of(self, level: Level) -> str:
        """Return the limit of a level as it is written; of OK, the first one."""
        labels = {limits.level: limits.enter.label for limits in self._limits}
        return labels.get(level, self._limits[-1].enter.label)

    def _level(self, value: ResourceValue, before: Level) -> Level:
        for level, enter, stay in self._limits:
            if enter.is_passed(value) or (before >= level and stay.is_passed(value)):
                return level
        return Level.OK
