"""Triggers that want to know when nothing comes any more."""

from collections.abc import Iterable, Mapping
from typing import Final

from notifyd.config.triggers import LogTriggerConfig
from notifyd.model.events import AlertState, Event
from notifyd.text.durations import format_duration

_GAP: Final = 30.0
"""Seconds without a turn after which lines may have been unable to come."""
_LOOK: Final = 15.0
"""Seconds between two turns, so that a gap is noticed."""


class StalenessTimer:
    """Only of triggers with `stale`. Each silence is told once. Times are monotonic."""

    def __init__(self, triggers: Mapping[str, LogTriggerConfig]) -> None:
        self._triggers = {
            name: (trigger, trigger.stale)
            for name, trigger in triggers.items()
            if trigger.stale is not None
        }
        self._deadlines: dict[str, float] = {}
        self._silent = set(self._triggers)  # perhaps: of what was before the start nothing is known
        self._ended: set[str] = set()
        self._turn: float | None = None

    @property
    def triggers(self) -> set[str]:
        return set(self._triggers)

    def turn(self, now: float) -> None:
        """Begin a turn. After a gap, as after the start, all deadlines start anew."""
        if self._turn is None or now > self._turn + _GAP:
            self._deadlines = {name: now + stale for name, (_, stale) in self._triggers.items()}
        self._turn = now

    def line(self, trigger: str, now: float) -> None:
        """Take note that a line came for a trigger."""
        if trigger in self._triggers and not self._triggers[trigger][0].stale_match:
            self._heard(trigger, now)

    def overdue(
        self, events: Iterable[Event], now: float, wall: float, *, more: bool
    ) -> list[Event]:
        """Tell of every trigger that was silent for too long, but not while there is more to read.

        And of every one that is silent no longer. events: the matches of this turn.
        """
        for event in events if self._triggers else ():
            if event.trigger in self._triggers:
                self._heard(event.trigger, now)
        over = [name for name, deadline in self._deadlines.items() if deadline <= now and not more]
        told = [self._told(name, wall, AlertState.RESOLVED) for name in sorted(self._ended)]
        told += [self._told(name, wall, AlertState.FIRING) for name in over]
        self._silent = self._silent - self._ended | set(over)
        self._ended.clear()
        for name in over:
            del self._deadlines[name]
        return told

    def _heard(self, name: str, now: float) -> None:
        self._deadlines[name] = now + self._triggers[name][1]
        if name in self._silent:
            self._ended.add(name)

    def wake(self) -> float | None:
        """Tell when the next turn must be; None if nothing can become overdue."""
        if not self._deadlines or self._turn is None:
            return None
        return min(self._turn + _LOOK, *self._deadlines.values())

    def _told(self, name: str, wall: float, phase: AlertState) -> Event:
        trigger, stale = self._triggers[name]
        what = "matching line" if trigger.stale_match else "line"
        where = ", ".join(trigger.paths or trigger.journal)
        line = f"no {what} in {where} for {format_duration(stale)}"
        if phase is AlertState.RESOLVED:
            line = f"{what}s come again in {where}"
        path = trigger.paths[0] if len(trigger.paths) == 1 else ""
        return Event(name, wall, line, path=path, facts={"event": "stale"}, alert_state=phase)
