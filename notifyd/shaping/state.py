"""The state of the fold, and the decision of one step."""

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import TypeVar

from notifyd.model.agents import AgentAnswer
from notifyd.model.attempts import SendAttempt
from notifyd.model.events import Now
from notifyd.model.notifications import Content, Digest, Incident, Notification, Priority, Status
from notifyd.shaping.agents.session import AgentSession
from notifyd.shaping.budget import Charge
from notifyd.shaping.group import NEVER, Group, deadline
from notifyd.shaping.heartbeat import Heartbeat
from notifyd.shaping.rules import Rule, Rules
from notifyd.shaping.send_state import SendState
from notifyd.shaping.trace import TraceEntry

T = TypeVar("T")

CLOCK_JUMP = 2.0
"""Seconds by which the wall clock must jump for wall-clock deadlines to be computed again."""


@dataclass(frozen=True, slots=True)
class PendingDigest:
    """A digest that more may be counted into. due: when it enters the outbox, monotonic.

    queued: whether it is in the outbox, without an attempt so far. began_at: the monotonic time at
    which something was first added.
    """

    id: str
    digest: Digest
    due: float
    queued: bool
    priority: Priority = Priority.DEFAULT
    began_at: float = 0.0


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """A delivery of a webhook. until: monotonic time; before it, a repetition is a duplicate."""

    until: float


@dataclass(frozen=True, slots=True)
class SpooledId:
    """A request of the spool whose file may still be there. since: monotonic time of its commit."""

    since: float


@dataclass(frozen=True, slots=True)
class TriggerStats:
    """What status shows of one trigger.

    reason: why its last match made no notification; empty if it made one. ended_while_muted:
    matches of conditions that came and went inside a mute, which no notification counts.
    """

    matches: int = 0
    notifications: int = 0
    below_threshold: int = 0
    reason: str = ""
    ended_while_muted: int = 0


@dataclass(frozen=True, slots=True)
class GlobalState:
    """The state that belongs to no group.

    charges: to the budget, oldest first. budget_digest_from: monotonic time before which no digest
    of what is over the budget enters the outbox. seed, serial: of the ids given out so far.
    mutes: monotonic times at which mutes by request end, by trigger; the empty name stands for
    everything. wall_mutes: the same as earlier versions stored it, by the wall clock.
    expiry_offset: seconds by which the `expires` of notifications is ahead of monotonic time. It
    never changes, and is such that wall-clock times of earlier versions stay valid.
    """

    send_state: SendState = field(default_factory=SendState)
    charges: tuple[Charge, ...] = ()
    budget_digest_from: float = 0.0
    seed: str = ""
    serial: int = 0
    mutes: Mapping[str, float] = field(default_factory=dict)
    wall_mutes: Mapping[str, float] = field(default_factory=dict)
    expiry_offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a request. refusal: the code of the reason, empty if it was granted.

    over_budget: whether the notification is counted in the digest of what is over the budget.
    agent: what became of an agent's event.
    """

    notification: Notification | None
    refusal: str = ""
    over_budget: bool = False
    agent: AgentAnswer | None = None


@dataclass(slots=True)
class Decision:
    """The changes of one step: written in one commit, and adopted only after that.

    None deletes what a key stands for. steps: what was traced, with the trigger, oldest first.
    orphaned_keys: stored entries to delete. contents: what the text of a notification is rendered
    from, if that is new. replies: by the index of their event. retried: ended notifications that
    are queued again, as they must still be stored. forget_before: the wall-clock time before which
    history may be deleted.
    """

    global_state: GlobalState
    rules: Rules
    prune_at: float
    groups: dict[str, Group | None] = field(default_factory=dict)
    digests: dict[str, PendingDigest | None] = field(default_factory=dict)
    trigger_stats: dict[str, TriggerStats] = field(default_factory=dict)
    traces: dict[str, list[TraceEntry]] = field(default_factory=dict)
    steps: list[tuple[str, TraceEntry]] = field(default_factory=list)
    incidents: dict[str, Incident | None] = field(default_factory=dict)
    webhook_deliveries: dict[str, WebhookDelivery | None] = field(default_factory=dict)
    spooled_ids: dict[str, SpooledId | None] = field(default_factory=dict)
    heartbeats: dict[str, Heartbeat | None] = field(default_factory=dict)
    agent_sessions: dict[str, AgentSession | None] = field(default_factory=dict)
    orphaned_keys: tuple[str, ...] = ()
    notifications: dict[str, Notification] = field(default_factory=dict)
    contents: dict[str, Content] = field(default_factory=dict)
    replies: dict[int, Reply] = field(default_factory=dict)
    retried: list[Notification] = field(default_factory=list)
    attempt: SendAttempt | None = None
    forget_before: float | None = None


@dataclass(slots=True)
class State:
    """All that the fold knows. Only `adopt` changes it, once a decision is on disk.

    webhook_deliveries: by what identifies them. spooled_ids: by id. heartbeats: by trigger.
    agent_sessions: by user and session. notifications: the waiting ones. orphaned_keys: stored
    entries that could not be read.
    group_counts: groups by trigger. timers: a heap of (monotonic time, key); some are out of date.
    last_step_at: monotonic time of the last decision. clock_offset: by how much the wall clock was
    ahead of the monotonic line then; None before the first.
    """

    global_state: GlobalState = field(default_factory=GlobalState)
    rules: Rules = field(default_factory=Rules)
    groups: dict[str, Group] = field(default_factory=dict)
    digests: dict[str, PendingDigest] = field(default_factory=dict)
    trigger_stats: dict[str, TriggerStats] = field(default_factory=dict)
    traces: dict[str, list[TraceEntry]] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    webhook_deliveries: dict[str, WebhookDelivery] = field(default_factory=dict)
    spooled_ids: dict[str, SpooledId] = field(default_factory=dict)
    heartbeats: dict[str, Heartbeat] = field(default_factory=dict)
    agent_sessions: dict[str, AgentSession] = field(default_factory=dict)
    orphaned_keys: tuple[str, ...] = ()
    notifications: dict[str, Notification] = field(default_factory=dict)
    group_counts: Counter[str] = field(default_factory=Counter)
    timers: list[tuple[float, str]] = field(default_factory=list)
    prune_at: float = 0.0
    last_step_at: float = 0.0
    clock_offset: float | None = None

    def rule(self, trigger: str) -> Rule:
        return self.rules.rule(trigger)

    def adopt(self, decision: Decision, now: Now) -> None:
        """Apply a committed decision. now: as it was for the step."""
        is_stale = decision.rules is not self.rules or decision.prune_at != self.prune_at
        is_stale = is_stale or self.has_clock_jumped(now)
        self.global_state = decision.global_state
        self.rules, self.prune_at = decision.rules, decision.prune_at
        self.last_step_at, self.clock_offset = now.mono, now.wall - now.mono
        while self.timers and self.timers[0][0] <= now.mono:
            heapq.heappop(self.timers)
        self.trigger_stats.update(decision.trigger_stats)
        self.traces.update(decision.traces)
        for key, group in decision.groups.items():
            self.put_group(key, group)
        for key, pending in decision.digests.items():
            self.put_digest(key, pending)
        _update(self.incidents, decision.incidents)
        _update(self.webhook_deliveries, decision.webhook_deliveries)
        _update(self.spooled_ids, decision.spooled_ids)
        _update(self.heartbeats, decision.heartbeats)
        for name, heartbeat in decision.heartbeats.items():
            if heartbeat is not None:
                self._arm(heartbeat.deadline, name)
        _update(self.agent_sessions, decision.agent_sessions)
        for key, session in decision.agent_sessions.items():
            if session is not None and session.deadline < NEVER:
                self._arm(session.deadline, key)
        if decision.orphaned_keys:
            self.orphaned_keys = ()
        for notification in decision.notifications.values():
            self.put_notification(notification)
        if is_stale or len(self.timers) > self._most_timers:
            self._rebuild_timers()

    @property
    def _most_timers(self) -> int:
        timed = len(self.groups) + len(self.notifications) + len(self.heartbeats)
        return 64 + 4 * (timed + len(self.agent_sessions))

    def is_due(self, now: Now) -> bool:
        """Whether a step is due without any event."""
        timer = bool(self.timers) and self.timers[0][0] <= now.mono
        return timer or self.prune_at <= now.mono or self.has_clock_jumped(now)

    def has_clock_jumped(self, now: Now) -> bool:
        """Whether the wall clock was set, or advanced during a suspend, since the last step."""
        return abs(self._clock_jump(now)) > CLOCK_JUMP

    def has_gap(self, now: Now) -> bool:
        """Whether wall-clock time advanced since the last step while monotonic time did not.

        A suspend, a paused machine and a clock that was set forward look alike.
        """
        return self._clock_jump(now) > CLOCK_JUMP

    def _clock_jump(self, now: Now) -> float:
        return 0.0 if self.clock_offset is None else now.wall - now.mono - self.clock_offset

    def deadline(self) -> float:
        """Return the monotonic time of the next step that is due; infinite if none is."""
        first = min(self.prune_at, self.timers[0][0] if self.timers else inf)
        send_at = self.global_state.send_state.next_send_at(self.rules.rate)
        if send_at == inf or not any(self._queued()):
            return first
        if send_at <= self.last_step_at:  # the last step could send, and found none ready
            send_at = min((each.not_before for each in self._queued()), default=inf)
        return min(first, send_at)

    def _queued(self) -> Iterable[Notification]:
        return (each for each in self.notifications.values() if each.status is Status.QUEUED)

    def put_group(self, key: str, group: Group | None) -> None:
        before = self.groups.get(key)
        if group is None:
            if before is not None:
                self.group_counts[before.trigger] -= 1
                del self.groups[key]
            return
        if before is None:
            self.group_counts[group.trigger] += 1
        self.groups[key] = group
        self._arm(deadline(group, self.rule(group.trigger)), key)

    def put_digest(self, key: str, pending: PendingDigest | None) -> None:
        if pending is None:
            self.digests.pop(key, None)
            return
        self.digests[key] = pending
        if not pending.queued:
            self._arm(pending.due, key)

    def put_notification(self, notification: Notification) -> None:
        if not notification.status.is_waiting:
            self.notifications.pop(notification.id, None)
            return
        known = self.notifications.get(notification.id)
        self.notifications[notification.id] = notification
        if known and (known.status, known.expires, known.not_before) == (
            notification.status,
            notification.expires,
            notification.not_before,
        ):
            return
        self._arm(notification.expires - self.global_state.expiry_offset, notification.id)
        if notification.status is Status.HELD:
            self._arm(notification.not_before, notification.id)

    def _arm(self, at: float, key: str) -> None:
        if at < inf:
            heapq.heappush(self.timers, (at, key))

    def _rebuild_timers(self) -> None:
        self.timers.clear()
        for key, group in self.groups.items():
            self._arm(deadline(group, self.rule(group.trigger)), key)
        for key, pending in self.digests.items():
            if not pending.queued:
                self._arm(pending.due, key)
        for notification in self.notifications.values():
            self._arm(notification.expires - self.global_state.expiry_offset, notification.id)
            if notification.status is Status.HELD:
                self._arm(notification.not_before, notification.id)
        for name, heartbeat in self.heartbeats.items():
            self._arm(heartbeat.deadline, name)
        for key, session in self.agent_sessions.items():
            if session.deadline < NEVER:
                self._arm(session.deadline, key)


def _update(values: dict[str, T], changes: Mapping[str, T | None]) -> None:
    """Apply changes, of which None deletes."""
    for key, value in changes.items():
        if value is None:
            values.pop(key, None)
        else:
            values[key] = value
