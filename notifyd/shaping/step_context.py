"""The unit of work of one step: the state as seen through the changes made so far."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from notifyd.model.events import Now
from notifyd.model.notifications import Content, Incident, Notification, Status
from notifyd.shaping.agents.session import AgentSession
from notifyd.shaping.group import Group
from notifyd.shaping.heartbeat import Heartbeat
from notifyd.shaping.rules import Rule, Rules
from notifyd.shaping.send_state import SendState
from notifyd.shaping.state import (
    Decision,
    GlobalState,
    PendingDigest,
    SpooledId,
    State,
    TriggerStats,
    WebhookDelivery,
)
from notifyd.shaping.trace import LINE_CLIP, Action, TraceEntry, append_entry


def uuid7(wall: float, seed: str, serial: int) -> str:
    """Return a UUIDv7 without a random source: the fold stays a function of its arguments.

    The 74 free bits are a hash of the serial number, keyed with the store's seed.
    Source: RFC 9562, section 5.7.
    """
    digest = hashlib.blake2b(serial.to_bytes(8, "big"), key=seed.encode()[:64], digest_size=10)
    free = int.from_bytes(digest.digest(), "big") >> 6
    milliseconds = max(0, int(wall * 1000)) & ((1 << 48) - 1)
    value = milliseconds << 80 | 7 << 76 | (free >> 62) << 64 | 2 << 62 | free & ((1 << 62) - 1)
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class StepContext:
    """Reads fall through to the state; writes go to the decision and leave the state alone."""

    def __init__(self, state: State, now: Now) -> None:
        self.now = now
        self.decision = Decision(state.global_state, state.rules, state.prune_at)
        self._state = state
        self._serial = state.global_state.serial
        self._group_count_changes: Counter[str] = Counter()

    def finish(self) -> Decision:
        """Return the decision of the step."""
        if self._serial != self.global_state.serial:
            self.global_state = replace(self.global_state, serial=self._serial)
        return self.decision

    @property
    def rules(self) -> Rules:
        return self.decision.rules

    @property
    def global_state(self) -> GlobalState:
        return self.decision.global_state

    @global_state.setter
    def global_state(self, global_state: GlobalState) -> None:
        self.decision.global_state = global_state

    @property
    def send_state(self) -> SendState:
        return self.decision.global_state.send_state

    @send_state.setter
    def send_state(self, send_state: SendState) -> None:
        self.global_state = replace(self.global_state, send_state=send_state)

    def rule(self, trigger: str) -> Rule:
        return self.rules.rule(trigger)

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

    # notifications

    def notification(self, notification_id: str) -> Notification | None:
        """Return a waiting notification."""
        notification = self.decision.notifications.get(
            notification_id
        ) or self._state.notifications.get(notification_id)
        return notification if notification and notification.status.is_waiting else None

    def put_notification(self, notification: Notification, content: Content | None = None) -> None:
        """Write a notification. content: what its text is rendered from, if that is new."""
        self.decision.notifications[notification.id] = notification
        if content is not None:
            self.decision.contents[notification.id] = content

    def notifications(self) -> Iterator[Notification]:
        """Iterate over all waiting notifications."""
        changed = self.decision.notifications
        for notification in self._state.notifications.values():
            if notification.id not in changed:
                yield notification
        for notification in changed.values():
            if notification.status.is_waiting:
                yield notification

    def waiting_at_most(self) -> int:
        """Return an upper bound of the number of waiting notifications, at no cost.

        It still counts those that ended in this step, and counts changed ones twice.
        """
        return len(self._state.notifications) + len(self.decision.notifications)

    def queued(self) -> list[Notification]:
        return [each for each in self.notifications() if each.status is Status.QUEUED]

    def new_id(self) -> str:
        self._serial += 1
        return uuid7(self.now.wall, self.global_state.seed, self._serial)

    # deliveries of webhooks

    def webhook_deliveries(self) -> dict[str, WebhookDelivery]:
        merged = self._state.webhook_deliveries | self.decision.webhook_deliveries
        return {key: value for key, value in merged.items() if value is not None}

    def put_webhook_delivery(self, key: str, delivery: WebhookDelivery | None) -> None:
        """Remember a delivery, or forget it."""
        self.decision.webhook_deliveries[key] = delivery

    # requests of the spool

    def is_spooled_id(self, spooled_id: str) -> bool:
        """Whether a request of this id was committed and its file may still be there."""
        changed = self.decision.spooled_ids
        known = changed if spooled_id in changed else self._state.spooled_ids
        return known.get(spooled_id) is not None

    def spooled_ids(self) -> list[tuple[str, SpooledId]]:
        merged = self._state.spooled_ids | self.decision.spooled_ids
        return [(key, known) for key, known in merged.items() if known is not None]

    def put_spooled_id(self, spooled_id: str, value: SpooledId | None) -> None:
        """Remember the id of a request, or forget it."""
        self.decision.spooled_ids[spooled_id] = value

    # heartbeats

    def heartbeat(self, name: str) -> Heartbeat | None:
        changed = self.decision.heartbeats
        return changed[name] if name in changed else self._state.heartbeats.get(name)

    def heartbeats(self) -> list[tuple[str, Heartbeat]]:
        merged = self._state.heartbeats | self.decision.heartbeats
        return [(name, heartbeat) for name, heartbeat in merged.items() if heartbeat is not None]

    def put_heartbeat(self, name: str, heartbeat: Heartbeat | None) -> None:
        self.decision.heartbeats[name] = heartbeat

    # sessions of coding agents

    def agent_session(self, key: str) -> AgentSession | None:
        changed = self.decision.agent_sessions
        return changed[key] if key in changed else self._state.agent_sessions.get(key)

    def agent_sessions(self) -> list[tuple[str, AgentSession]]:
        merged = self._state.agent_sessions | self.decision.agent_sessions
        return [(key, session) for key, session in merged.items() if session is not None]

    def put_agent_session(self, key: str, session: AgentSession | None) -> None:
        self.decision.agent_sessions[key] = session

    # incidents

    def incidents(self) -> list[Incident]:
        merged = self._state.incidents | self.decision.incidents
        return [incident for incident in merged.values() if incident is not None]

    def put_incident(self, incident: Incident) -> None:
        self.decision.incidents[incident.key] = incident

    def forget_incident(self, incident: Incident) -> None:
        self.decision.incidents[incident.key] = None

    # what status and `explain` show

    def add_stats(
        self,
        trigger: str,
        *,
        matches: int = 0,
        sent: int = 0,
        below: int = 0,
        ended_while_muted: int = 0,
        reason: str = "",
    ) -> None:
        """Add to a trigger's statistics. reason: replaces the last one, also by an empty one."""
        known = self.decision.trigger_stats.get(trigger) or self._state.trigger_stats.get(trigger)
        stats = known or TriggerStats()
        self.decision.trigger_stats[trigger] = TriggerStats(
            matches=stats.matches + matches,
            notifications=stats.notifications + sent,
            below_threshold=stats.below_threshold + below,
            reason=reason,
            ended_while_muted=stats.ended_while_muted + ended_while_muted,
        )

    def trace(
        self,
        trigger: str,
        action: Action,
        matches: int,
        *,
        line: str = "",
        group: tuple[str, ...] = (),
        until: float = 0.0,
        notification_id: str = "",
        detail: str = "",
    ) -> None:
        """Append to a trigger's trace. notification_id: the notification with these matches."""
        trace = self.decision.traces.get(trigger)
        if trace is None:  # copied once per step: a burst of matches traces many entries
            trace = self.decision.traces[trigger] = [*self._state.traces.get(trigger, ())]
        wall = self.now.wall
        entry = TraceEntry(
            action, wall, wall, matches, line[:LINE_CLIP], group, until, notification_id, detail
        )
        append_entry(trace, entry)
        self.decision.steps.append((trigger, entry))

    def drop_orphaned_keys(self) -> None:
        """Delete the stored entries that could not be read and are reported as an incident."""
        self.decision.orphaned_keys = self._state.orphaned_keys

    # time

    def to_mono(self, wall: float) -> float:
        """Convert a wall-clock time to the monotonic line."""
        return self.now.mono + wall - self.now.wall

    def expiry_in(self, seconds: float) -> float:
        """Return the `expires` of a notification that expires in so many seconds from now."""
        return self.now.mono + seconds + self.global_state.expiry_offset

    def has_expired(self, notification: Notification) -> bool:
        return notification.expires - self.global_state.expiry_offset <= self.now.mono

    def to_wall(self, mono: float) -> float:
        """Convert a monotonic time to the wall clock."""
        return self.now.wall + mono - self.now.mono
