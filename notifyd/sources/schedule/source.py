"""The schedule source: fires when a trigger's time comes, once, whatever the clock does."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from math import inf
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim

from notifyd.config.triggers import ScheduleTriggerConfig
from notifyd.model.events import Event, SourceBatch
from notifyd.model.health import SourceHealth
from notifyd.sources.base import Emit
from notifyd.sources.stored_values import (
    CheckpointValueError,
    RefusedValues,
    as_seconds,
    decode_json,
)

LOOK: Final = 60.0
"""Seconds after which the clock is read again: it may have been set, or the machine suspended."""
_MOMENT: Final = 1e-4
_SET_BACK: Final = 86_400.0
"""Seconds: a time told further ahead than this was told by a clock that was wrong."""
_LATE: Final = 120.0
"""Seconds after which a time counts as missed, and is told as such."""


class ScheduleSource:
    """All schedule triggers. A position is the last time that was told, as seconds of the epoch.

    Of times that passed while nobody ran, the latest alone is told, and that it is late.
    """

    name = "schedule"

    def __init__(
        self,
        triggers: Mapping[str, ScheduleTriggerConfig],
        positions: Mapping[str, str],
        *,
        wall: Callable[[], float],
        look: float = LOOK,
    ) -> None:
        self._triggers, self._wall, self._look = triggers, wall, look
        self._keys = {name: _key(name, trigger) for name, trigger in triggers.items()}
        self._told: dict[str, float] = {}
        self._refused = RefusedValues(self.name)
        for name, key in self._keys.items():
            if key in positions:
                self._load(name, key, positions[key])
        self._strangers = positions.keys() - self._keys.values()

    def health(self) -> SourceHealth:
        return SourceHealth(self.name, len(self._triggers), tuple(self._refused.problems))

    def _load(self, name: str, key: str, value: str) -> None:
        try:
            self._told[name] = decode_time(value)
        except CheckpointValueError as error:
            what = f"last time of trigger {name}"
            consequence = "times that passed while notifyd was stopped are not reported"
            self._refused.add(key, what, error, consequence)

    async def run(self, emit: Emit) -> None:
        """Tell each time when it comes; a first reading says from when on they count."""
        begun = False
        while True:
            now = self._wall()
            fresh = self._begun(now)
            due = {name: last for name in self._triggers if (last := self._passed(name, now))}
            self._told |= due
            if fresh or due or not begun:
                begun = True
                events = tuple(self._event(name, at, now) for name, at in due.items())
                gone = dict.fromkeys(self._strangers)
                await emit(SourceBatch(events, gone | self._positions(fresh | due)))
                self._refused.log()
            following = [next_time(each, now) for each in self._triggers.values()]
            await asyncio.sleep(min(self._look, max(0.0, min(following) - self._wall())))

    def _begun(self, now: float) -> dict[str, float]:
        """Count from now on for what was never told, or only by a clock that was far ahead."""
        fresh = {
            name: now for name in self._triggers if self._told.get(name, inf) > now + _SET_BACK
        }
        self._told |= fresh
        return fresh

    def _positions(self, told: Mapping[str, float]) -> dict[str, str | None]:
        return {self._keys[name]: encode_time(at) for name, at in told.items()}

    def _passed(self, name: str, now: float) -> float | None:
        """Find the latest time that has come since the last one told."""
        last = last_time(self._triggers[name], now)
        return last if last > self._told[name] else None

    def _event(self, name: str, at: float, now: float) -> Event:
        trigger = self._triggers[name]
        when = datetime.fromtimestamp(at, _zone(trigger))
        line = f"{when:%a %H:%M}"
        if now - at > _LATE:
            line = f"{line} was missed: notifyd was not running then, or the clock was set"
        return Event(name, at, line, facts={"event": "schedule"})


def encode_time(wall: float) -> str:
    return repr(wall)


def decode_time(text: str) -> float:
    """Decode what `encode_time` returned; CheckpointValueError for anything else."""
    return as_seconds(decode_json(text))


def next_time(trigger: ScheduleTriggerConfig, wall: float) -> float:
    """Tell the first time after this one, in seconds of the epoch."""
    start = datetime.fromtimestamp(wall, _zone(trigger))
    times = (when.timestamp() for when in CronSim(trigger.cron, start))
    return next(at for at in times if at > wall)  # a clock set back reads the same hour twice


def last_time(trigger: ScheduleTriggerConfig, wall: float) -> float:
    """Tell the last time up to this one."""
    just_after = datetime.fromtimestamp(wall + _MOMENT, _zone(trigger))
    return next(CronSim(trigger.cron, just_after, reverse=True)).timestamp()


def _zone(trigger: ScheduleTriggerConfig) -> ZoneInfo | None:
    """Give a named zone; without one, times are local ones."""
    return ZoneInfo(trigger.timezone) if trigger.timezone else None


def _key(name: str, trigger: ScheduleTriggerConfig) -> str:
    """Write the key of a position, which says nothing of other times than these."""
    return "\0".join((f"schedule:{name}", trigger.cron, trigger.timezone or ""))
