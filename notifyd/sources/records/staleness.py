"""Conditions of triggers with `stale`: no line, matching line or change of a file for that long."""

from collections.abc import Iterable, Mapping
from typing import Final

from notifyd.config.triggers import FileTriggerConfig, LogTriggerConfig
from notifyd.model.events import AlertState, Event
from notifyd.text.durations import format_duration

_GAP: Final = 30.0
"""Seconds between two polls after which lines may have been unable to arrive."""
_POLL_INTERVAL: Final = 15.0
"""Seconds between two polls, so that a gap is noticed."""


class StalenessTimer:
    """Emits FIRING once per silence, and RESOLVED once it ends. Times are monotonic seconds."""

    def __init__(self, triggers: Mapping[str, LogTriggerConfig | FileTriggerConfig]) -> None:
        self._triggers = {
            name: (trigger, trigger.stale)
            for name, trigger in triggers.items()
            if trigger.stale is not None
        }
        self._deadlines: dict[str, float] = {}
        self._firing = set(self._triggers)
        """Triggers that are stale, or may have been so before the start."""
        self._resolved: set[str] = set()
        self._polled_at: float | None = None

    @property
    def triggers(self) -> set[str]:
        return set(self._triggers)

    def begin_poll(self, now: float) -> None:
        """Begin a poll. After a gap between polls, as after the start, all waits restart."""
        if self._polled_at is None or now > self._polled_at + _GAP:
            self._deadlines = {name: now + stale for name, (_, stale) in self._triggers.items()}
        self._polled_at = now

    def record_activity(self, trigger: str, now: float) -> None:
        """Restart the wait of a trigger at a line or a change.

        A trigger that waits for matching lines only is left alone.
        """
        if trigger in self._triggers and not _waits_for_matches(self._triggers[trigger][0]):
            self._restart(trigger, now)

    def evaluate(
        self, matches: Iterable[Event], now: float, wall: float, *, has_more: bool
    ) -> list[Event]:
        """Return the changed conditions. has_more: input is left to read, so nothing is stale.

        matches: the events of this poll.
        """
        for event in matches if self._triggers else ():
            if event.trigger in self._triggers:
                self._restart(event.trigger, now)
        due = () if has_more else self._deadlines.items()
        stale = [name for name, deadline in due if deadline <= now]
        events = [self._event(name, wall, AlertState.RESOLVED) for name in sorted(self._resolved)]
        events += [self._event(name, wall, AlertState.FIRING) for name in stale]
        self._firing = self._firing - self._resolved | set(stale)
        self._resolved.clear()
        for name in stale:
            del self._deadlines[name]
        return events

    def next_poll(self) -> float | None:
        """Return when the next poll is due; None if nothing can become stale."""
        if not self._deadlines or self._polled_at is None:
            return None
        return min(self._polled_at + _POLL_INTERVAL, *self._deadlines.values())

    def _restart(self, name: str, now: float) -> None:
        self._deadlines[name] = now + self._triggers[name][1]
        if name in self._firing:
            self._resolved.add(name)

    def _event(self, name: str, wall: float, phase: AlertState) -> Event:
        trigger, stale = self._triggers[name]
        if isinstance(trigger, FileTriggerConfig):
            what, places = "change", trigger.paths
        else:
            what = "matching line" if trigger.stale_match else "line"
            places = trigger.paths or trigger.journal
        where = ", ".join(places)
        line = f"no {what} in {where} for {format_duration(stale)}"
        if phase is AlertState.RESOLVED:
            line = f"new {what}s in {where}"
        path = trigger.paths[0] if len(trigger.paths) == 1 else ""
        return Event(name, wall, line, path=path, facts={"event": "stale"}, alert_state=phase)


def _waits_for_matches(trigger: LogTriggerConfig | FileTriggerConfig) -> bool:
    return isinstance(trigger, LogTriggerConfig) and trigger.stale_match
