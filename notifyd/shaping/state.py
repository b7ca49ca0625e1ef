"""What the fold remembers between steps, and what one step decides."""

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf

from notifyd.model.attempts import SendAttempt
from notifyd.model.events import Now
from notifyd.model.notifications import Content, Digest, Incident, Notification, Priority, Status
from notifyd.shaping.group import Group, deadline
from notifyd.shaping.rules import Rule, Rules
from notifyd.shaping.send_state import SendState
from notifyd.shaping.trace import TraceEntry

_STEP = 2.0
"""Seconds by which the clocks must part at once to make wall-clock deadlines due anew."""


@dataclass(frozen=True, slots=True)
class PendingDigest:
    """A digest that more may be counted into: `placed` once its row waits in the outbox, untried.

    due: when a digest that is not placed yet may enter the outbox, monotonic.
    priority: with which it is sent.
    """

    id: str
    digest: Digest
    due: float
    queued: bool
    priority: Priority = Priority.DEFAULT


@dataclass(frozen=True, slots=True)
class TriggerStats:
    """One trigger's books. reason: why its last match made no notification, empty if it did.

    quiet: matches that nobody needs to be told of: a condition came and went inside a mute.
    """

    matches: int = 0
    notifications: int = 0
    below_threshold: int = 0
    reason: str = ""
    ended_while_muted: int = 0


@dataclass(frozen=True, slots=True)
class GlobalState:
    """What has no group: the gate, when the budget was spent, and the ids given out so far.

    mutes: what was muted on demand, until when by the wall clock; under no name: everything.
    """

    send_state: SendState = field(default_factory=SendState)
    budget_spent: tuple[float, ...] = ()
    seed: str = ""
    serial: int = 0
    mutes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to somebody's wish; `refusal` names why it is not granted."""

    notification: Notification | None
    refusal: str = ""


@dataclass(slots=True)
class Decision:
    """What one step wants: to be written in one commit, and only then adopted.

    rows are those that changed; contents what their text is to be made of, where that changed.
    replies: by the index of the event they answer. forget: history before this wall time may go.
    revived: rows that were over, as they must still be on disk. strays: pieces on disk that nobody
    could read, to be deleted.
    """

    global_state: GlobalState
    rules: Rules
    prune_at: float
    groups: dict[str, Group | None] = field(default_factory=dict)
    digests: dict[str, PendingDigest | None] = field(default_factory=dict)
    trigger_stats: dict[str, TriggerStats] = field(default_factory=dict)
    traces: dict[str, list[TraceEntry]] = field(default_factory=dict)
    incidents: dict[str, Incident | None] = field(default_factory=dict)
    orphaned_keys: tuple[str, ...] = ()
    notifications: dict[str, Notification] = field(default_factory=dict)
    contents: dict[str, Content] = field(default_factory=dict)
    replies: dict[int, Reply] = field(default_factory=dict)
    retried: list[Notification] = field(default_factory=list)
    attempt: SendAttempt | None = None
    forget_before: float | None = None


@dataclass(slots=True)
class State:
    """Changed by `adopt` alone, and only once a decision is on disk.

    rows: those that still wait. incidents: what befell the store lately. strays: the names of
    pieces on disk that could not be read. timers: (monotonic time, what), some of them out of date.
    """

    global_state: GlobalState = field(default_factory=GlobalState)
    rules: Rules = field(default_factory=Rules)
    groups: dict[str, Group] = field(default_factory=dict)
    digests: dict[str, PendingDigest] = field(default_factory=dict)
    trigger_stats: dict[str, TriggerStats] = field(default_factory=dict)
    traces: dict[str, list[TraceEntry]] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    orphaned_keys: tuple[str, ...] = ()
    notifications: dict[str, Notification] = field(default_factory=dict)
    group_counts: Counter[str] = field(default_factory=Counter)
    timers: list[tuple[float, str]] = field(default_factory=list)
    prune_at: float = 0.0
    last_step_at: float = 0.0
    """When the last decision was made, monotonic: what opened since was seen by nobody yet."""
    clock_offset: float | None = None
    """By how much the wall clock was ahead of the monotonic one then; None before the first."""

    def rule(self, trigger: str) -> Rule:
        return self.rules.triggers.get(trigger) or Rule(trigger)

    def adopt(self, decision: Decision, now: Now) -> None:
        """Make a committed decision the state. now: the one the decision was made with."""
        retime = decision.rules is not self.rules or decision.prune_at != self.prune_at
        retime = retime or self.has_clock_jumped(now)
        self.global_state, self.rules, self.prune_at = (
            decision.global_state,
            decision.rules,
            decision.prune_at,
        )
        self.last_step_at, self.clock_offset = now.mono, now.wall - now.mono
        while self.timers and self.timers[0][0] <= now.mono:
            heapq.heappop(self.timers)
        self.trigger_stats.update(decision.trigger_stats)
        self.traces.update(decision.traces)
        for key, group in decision.groups.items():
            self.put_group(key, group)
        for key, pending in decision.digests.items():
            self.put_digest(key, pending)
        for key, incident in decision.incidents.items():
            if incident is None:
                self.incidents.pop(key, None)
            else:
                self.incidents[key] = incident
        if decision.orphaned_keys:
            self.orphaned_keys = ()
        for notification in decision.notifications.values():
            self.put_notification(notification, now)
        if retime or len(self.timers) > 64 + 4 * (len(self.groups) + len(self.notifications)):
            self._retime(now)

    def is_due(self, now: Now) -> bool:
        timer = bool(self.timers) and self.timers[0][0] <= now.mono
        return timer or self.prune_at <= now.mono or self.has_clock_jumped(now)

    def has_clock_jumped(self, now: Now) -> bool:
        """Tell whether the wall clock was set, or ran on through a suspend, since the last step."""
        return (
            self.clock_offset is not None and abs(now.wall - now.mono - self.clock_offset) > _STEP
        )

    def deadline(self) -> float:
        """Tell the monotonic time at which the next step is due; infinite if nothing waits."""
        first = min(self.prune_at, self.timers[0][0] if self.timers else inf)
        opens = self.global_state.send_state.next_send_at(self.rules.rate)
        if opens == inf or not any(self._queued()):
            return first
        if opens <= self.last_step_at:
            # it was open at the last step: what is left stands back for a while
            opens = min((notification.not_before for notification in self._queued()), default=inf)
        return min(first, opens)

    def _queued(self) -> Iterable[Notification]:
        return (
            notification
            for notification in self.notifications.values()
            if notification.status is Status.QUEUED
        )

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

    def put_notification(self, notification: Notification, now: Now) -> None:
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
        self._arm(now.mono + notification.expires - now.wall, notification.id)
        if notification.status is Status.HELD:
            self._arm(notification.not_before, notification.id)

    def _arm(self, at: float, key: str) -> None:
        if at < inf:
            heapq.heappush(self.timers, (at, key))

    def _retime(self, now: Now) -> None:
        self.timers.clear()
        for key, group in self.groups.items():
            self._arm(deadline(group, self.rule(group.trigger)), key)
        for key, pending in self.digests.items():
            if not pending.queued:
                self._arm(pending.due, key)
        for notification in self.notifications.values():
            self._arm(now.mono + notification.expires - now.wall, notification.id)
            if notification.status is Status.HELD:
                self._arm(notification.not_before, notification.id)
