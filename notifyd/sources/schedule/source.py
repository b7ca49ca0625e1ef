"""The schedule source: one event when a trigger's time comes, however the clock is set."""

import asyncio
from collections.abc import Callable, Mapping
from math import inf
from typing import Final

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

CLOCK_INTERVAL: Final = 60.0
"""Seconds between two reads of the clock: it may be set, and the machine may be suspended."""
_CLOCK_WAS_AHEAD: Final = 86_400.0
"""Seconds: a stored time further in the future than this comes from a clock that was wrong."""
_MISSED_AFTER: Final = 120.0
"""Seconds after which a time is reported as missed."""


class ScheduleSource:
    """All schedule triggers.

    checkpoints: the last time that was reported, in seconds since the epoch. Of the times that pass
    while notifyd is stopped, only the latest is reported, as missed.
    """

    name = "schedule"

    def __init__(
        self,
        triggers: Mapping[str, ScheduleTriggerConfig],
        checkpoints: Mapping[str, str],
        *,
        wall: Callable[[], float],
        clock_interval: float = CLOCK_INTERVAL,
    ) -> None:
        self._triggers, self._wall, self._clock_interval = triggers, wall, clock_interval
        self._keys = {name: _key(name, trigger) for name, trigger in triggers.items()}
        self._last_times: dict[str, float] = {}
        self._refused = RefusedValues(self.name)
        for name, key in self._keys.items():
            if key in checkpoints:
                self._restore(name, key, checkpoints[key])
        self._obsolete_keys = checkpoints.keys() - self._keys.values()

    def health(self) -> SourceHealth:
        return SourceHealth(self.name, len(self._triggers), tuple(self._refused.problems))

    def _restore(self, name: str, key: str, value: str) -> None:
        try:
            self._last_times[name] = decode_time(value)
        except CheckpointValueError as error:
            what = f"last time of trigger {name}"
            consequence = "times that passed while notifyd was stopped are not reported"
            self._refused.add(key, what, error, consequence)

    async def run(self, emit: Emit) -> None:
        """Emit each time when it comes. A first batch stores from when on times count."""
        is_first = True
        while True:
            now = self._wall()
            started = self._start(now)
            due = {name: time for name in self._triggers if (time := self._due_time(name, now))}
            self._last_times |= due
            if started or due or is_first:
                is_first = False
                events = tuple(self._event(name, at, now) for name, at in due.items())
                obsolete = dict.fromkeys(self._obsolete_keys)
                await emit(SourceBatch(events, obsolete | self._checkpoints(started | due)))
                self._obsolete_keys.clear()
                self._refused.log()
            next_times = [each.schedule.next_time(now) for each in self._triggers.values()]
            timeout = max(0.0, min(next_times) - self._wall())
            await asyncio.sleep(min(self._clock_interval, timeout))

    def _start(self, now: float) -> dict[str, float]:
        """Count from now on for triggers without a last time, or with one far in the future."""
        started = {
            name: now
            for name in self._triggers
            if self._last_times.get(name, inf) > now + _CLOCK_WAS_AHEAD
        }
        self._last_times |= started
        return started

    def _checkpoints(self, last_times: Mapping[str, float]) -> dict[str, str | None]:
        return {self._keys[name]: encode_time(at) for name, at in last_times.items()}

    def _due_time(self, name: str, now: float) -> float | None:
        """Return the latest time that has come since the last one reported."""
        time = self._triggers[name].schedule.last_time(now)
        return time if time > self._last_times[name] else None

    def _event(self, name: str, at: float, now: float) -> Event:
        line = self._triggers[name].schedule.format(at)
        if now - at > _MISSED_AFTER:
            line = f"{line} was missed: notifyd was not running, or the clock was set"
        return Event(name, at, line, facts={"event": "schedule"})


def encode_time(wall: float) -> str:
    return repr(wall)


def decode_time(text: str) -> float:
    """Decode what `encode_time` returned; CheckpointValueError for anything else."""
    return as_seconds(decode_json(text))


def _key(name: str, trigger: ScheduleTriggerConfig) -> str:
    """Return the stored key, which another expression or time zone does not share."""
    return "\0".join((f"schedule:{name}", trigger.cron, trigger.timezone or ""))
