"""What the shaping would make of matches: the daemon's own fold, in virtual time, with no outbox.

Every notification counts as delivered at once, so none of them is joined by later matches.
"""

from collections.abc import Sequence
from typing import NamedTuple

from notifyd.config.settings import Settings
from notifyd.engine.pipeline import build_rules
from notifyd.engine.renderer import Renderer
from notifyd.model.attempts import Outcome, OutcomeKind
from notifyd.model.events import Event, Now
from notifyd.model.notifications import Content, Payload
from notifyd.shaping.codec import restore_state
from notifyd.shaping.inputs import Configured, Input, Settled, WorkerStarted
from notifyd.shaping.step import step
from notifyd.triggers import Trigger

_MOST_AT_ONCE = 1000
"""Matches of one step."""
_MOST_SHOWN = 20
_HORIZON = 8 * 86_400.0
"""Seconds after the last match: a mute window comes back within a week."""


class SentNotification(NamedTuple):
    """wall: when it would be sent. matches: how many it counts."""

    wall: float
    payload: Payload
    matches: int


class ShapingPreview:
    """Shapes the matches of one trigger.

    wall, start: the time of the first match, in wall-clock seconds. shown: the first
    notifications; more: the number of further ones.
    """

    def __init__(self, settings: Settings, trigger: Trigger, wall: float) -> None:
        triggers = {trigger.name: trigger}
        self._trigger = trigger
        self._renderer = Renderer(triggers, is_redacting=settings.text.redact)
        self.start = wall
        self._now = Now(0.0, wall)
        self._state = restore_state({}, [], seed="match", now=self._now)
        self._contents: dict[str, Content] = {}
        self._batch: list[Event] = []
        self.shown: list[SentNotification] = []
        self.more = 0
        self._step([Configured(build_rules(settings, triggers)), WorkerStarted()])

    def add(self, event: Event, wall: float) -> None:
        """Count a match. wall: its time; an earlier one than before counts as the same."""
        if wall > self._now.wall or len(self._batch) >= _MOST_AT_ONCE:
            self._flush()
            self._advance(wall - self.start)
        self._batch.append(event)

    def finish(self) -> None:
        """Let the time pass until all that was counted has been sent, or for a week."""
        self._flush()
        end = self._now.mono + _HORIZON
        while self._is_busy() and (due := self._state.deadline()) <= end:
            self._advance(due)

    @property
    def held_back(self) -> int:
        """How many matches are still held back by a mute after all that time."""
        return sum(pending.digest.count for pending in self._state.digests.values())

    @property
    def below_threshold(self) -> int:
        """How many matches have not reached the threshold."""
        stats = self._state.trigger_stats.get(self._trigger.name)
        waiting = sum(len(group.window) for group in self._state.groups.values())
        return waiting + (stats.below_threshold if stats else 0)

    def _is_busy(self) -> bool:
        state = self._state
        has_summary = any(group.summary for group in state.groups.values())
        return bool(state.notifications or state.digests or has_summary)

    def _flush(self) -> None:
        if self._batch:
            self._step([self._trigger.match(event) for event in self._batch])
            self._batch.clear()

    def _advance(self, mono: float) -> None:
        """Run what is due up to a time, each at its own."""
        while (due := self._state.deadline()) <= mono:
            self._set_time(due)
            self._step([])
        self._set_time(mono)

    def _set_time(self, mono: float) -> None:
        if mono > self._now.mono:
            self._now = Now(mono, self.start + mono)

    def _step(self, events: Sequence[Input]) -> None:
        """Fold events, and settle every attempt at once."""
        while True:
            decision = step(self._state, events, self._now)
            self._state.adopt(decision, self._now)
            self._contents.update(decision.contents)
            if decision.attempt is None:
                return
            self._send(decision.attempt.id)
            events = [Settled(Outcome(decision.attempt.id, OutcomeKind.DELIVERED))]

    def _send(self, notification_id: str) -> None:
        content = self._contents.pop(notification_id)
        if len(self.shown) >= _MOST_SHOWN:
            self.more += 1
            return
        notification = self._state.notifications[notification_id]
        payload = self._renderer.render(notification, content, self._now)
        self.shown.append(SentNotification(self._now.wall, payload, notification.count))
