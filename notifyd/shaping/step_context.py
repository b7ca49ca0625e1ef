"""A decision in the making: the state seen through the changes of the step that is under way."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from notifyd.model.events import Now
from notifyd.model.notifications import Content, Incident, Notification, Status
from notifyd.shaping.group import Group
from notifyd.shaping.ids import uuid7
from notifyd.shaping.rules import Rule, Rules
from notifyd.shaping.send_state import SendState
from notifyd.shaping.state import Decision, GlobalState, PendingDigest, State, TriggerStats
from notifyd.shaping.trace import LINE_CLIP, Action, TraceEntry, append_entry


class StepContext:
    """Reads fall through to the state, writes stay here: the state itself is never touched."""

    def __init__(self, state: State, now: Now) -> None:
        self.now = now
        self.decision = Decision(state.global_state, state.rules, state.prune_at)
        self._state = state
        self._group_count_changes: Counter[str] = Counter()

    @property
    def rules(self) -> Rules:
        return self.decision.rules

    @property
    def global_state(self) -> GlobalState:
        return self.decision.global_state

    @global_state.setter
    def global_state(self, books: GlobalState) -> None:
        self.decision.global_state = books

    @property
    def send_state(self) -> SendState:
        return self.decision.global_state.send_state

    @send_state.setter
    def send_state(self, send_state: SendState) -> None:
        self.global_state = replace(self.global_state, send_state=send_state)

    def rule(self, trigger: str) -> Rule:
        return self.rules.triggers.get(trigger) or Rule(trigger)

    # groups

    def group(self, key: str) -> Group | None:
        changed = self.decision.groups
        return changed[key] if key in changed else self._state.groups.get(key)

    def put_group(self, key: str, group: Group | None) -> None:
        before = self.group(key)
        if before is None and group is not None:
            self._group_count_changes[group.trigger] += 1
        elif before is not None and group is None:
            self._group_count_changes[before.trigger] -= 1
        self.decision.groups[key] = group

    def groups(self) -> list[tuple[str, Group]]:
        merged = self._state.groups | self.decision.groups
        return [(key, group) for key, group in merged.items() if group is not None]

    def group_count(self, trigger: str) -> int:
        return self._state.group_counts[trigger] + self._group_count_changes[trigger]

    # digests

    def digest(self, key: str) -> PendingDigest | None:
        changed = self.decision.digests
        return changed[key] if key in changed else self._state.digests.get(key)

    def put_digest(self, key: str, pending: PendingDigest | None) -> None:
        self.decision.digests[key] = pending

    def digests(self) -> list[tuple[str, PendingDigest]]:
        merged = self._state.digests | self.decision.digests
        return [(key, pending) for key, pending in merged.items() if pending is not None]

    # rows

    def notification(self, notification_id: str) -> Notification | None:
        """Find a row that still waits."""
        notification = self.decision.notifications.get(
            notification_id
        ) or self._state.notifications.get(notification_id)
        return notification if notification and notification.status.is_waiting else None

    def put_notification(self, notification: Notification, content: Content | None = None) -> None:
        """Write a row; content, where its text must be made (anew)."""
        self.decision.notifications[notification.id] = notification
        if content is not None:
            self.decision.contents[notification.id] = content

    def notifications(self) -> Iterator[Notification]:
        """All that still wait."""
        changed = self.decision.notifications
        for notification in self._state.notifications.values():
            if notification.id not in changed:
                yield notification
        for notification in changed.values():
            if notification.status.is_waiting:
                yield notification

    def waiting_at_most(self) -> int:
        """Count the rows that wait, at most: those that ended in this very step count still."""
        return len(self._state.notifications) + len(self.decision.notifications)

    def queued(self) -> list[Notification]:
        return [
            notification
            for notification in self.notifications()
            if notification.status is Status.QUEUED
        ]

    # incidents

    def incidents(self) -> list[Incident]:
        merged = self._state.incidents | self.decision.incidents
        return [incident for incident in merged.values() if incident is not None]

    def put_incident(self, incident: Incident) -> None:
        self.decision.incidents[incident.key] = incident

    def forget_incident(self, incident: Incident) -> None:
        self.decision.incidents[incident.key] = None

    # books

    def drop_orphaned_keys(self) -> None:
        """Delete the pieces on disk that could not be read; they were told as an incident."""
        self.decision.orphaned_keys = self._state.orphaned_keys

    def new_id(self) -> str:
        self.global_state = replace(self.global_state, serial=self.global_state.serial + 1)
        return uuid7(self.now.wall, self.global_state.seed, self.global_state.serial)

    def add_stats(
        self,
        trigger: str,
        *,
        matches: int = 0,
        sent: int = 0,
        below: int = 0,
        quiet: int = 0,
        reason: str = "",
    ) -> None:
        """Add to a trigger's ledger."""
        ledger = (
            self.decision.trigger_stats.get(trigger)
            or self._state.trigger_stats.get(trigger)
            or TriggerStats()
        )
        self.decision.trigger_stats[trigger] = TriggerStats(
            ledger.matches + matches,
            ledger.notifications + sent,
            ledger.below_threshold + below,
            reason,
            ledger.ended_while_muted + quiet,
        )

    def trace(
        self,
        trigger: str,
        did: Action,
        count: int,
        *,
        line: str = "",
        group: tuple[str, ...] = (),
        until: float = 0.0,
        known: str = "",
        detail: str = "",
    ) -> None:
        """Add to a trigger's trail. known: the id of the notification that tells these matches."""
        trail = self.decision.traces.get(trigger)
        if trail is None:  # a copy for this step: every match of a burst comes by here
            trail = self.decision.traces[trigger] = [*self._state.traces.get(trigger, ())]
        wall = self.now.wall
        append_entry(
            trail, TraceEntry(did, wall, wall, count, line[:LINE_CLIP], group, until, known, detail)
        )

    # time

    def to_mono(self, wall: float) -> float:
        """Say a wall-clock time on the monotonic line."""
        return self.now.mono + wall - self.now.wall

    def to_wall(self, mono: float) -> float:
        """Say a monotonic time by the wall clock."""
        return self.now.wall + mono - self.now.mono
