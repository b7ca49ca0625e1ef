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
    placed: bool
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
    quiet: int = 0


@dataclass(frozen=True, slots=True)
class GlobalState:
    """What has no group: the gate, when the budget was spent, and the ids given out so far.

    mutes: what was muted on demand, until when by the wall clock; under no name: everything.
    """

    gate: SendState = field(default_factory=SendState)
    spent: tuple[float, ...] = ()
    seed: str = ""
    serial: int = 0
    mutes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to somebody's wish; `refusal` names why it is not granted."""

    row: Notification | None
    refusal: str = ""


@dataclass(slots=True)
class Decision:
    """What one step wants: to be written in one commit, and only then adopted.

    rows are those that changed; contents what their text is to be made of, where that changed.
    replies: by the index of the event they answer. forget: history before this wall time may go.
    revived: rows that were over, as they must still be on disk. strays: pieces on disk that nobody
    could read, to be deleted.
    """

    books: GlobalState
    rules: Rules
    prune_at: float
    groups: dict[str, Group | None] = field(default_factory=dict)
    digests: dict[str, PendingDigest | None] = field(default_factory=dict)
    ledgers: dict[str, TriggerStats] = field(default_factory=dict)
    trails: dict[str, list[TraceEntry]] = field(default_factory=dict)
    incidents: dict[str, Incident | None] = field(default_factory=dict)
    strays: tuple[str, ...] = ()
    rows: dict[str, Notification] = field(default_factory=dict)
    contents: dict[str, Content] = field(default_factory=dict)
    replies: dict[int, Reply] = field(default_factory=dict)
    revived: list[Notification] = field(default_factory=list)
    order: SendAttempt | None = None
    forget: float | None = None


@dataclass(slots=True)
class State:
    """Changed by `adopt` alone, and only once a decision is on disk.

    rows: those that still wait. incidents: what befell the store lately. strays: the names of
    pieces on disk that could not be read. timers: (monotonic time, what), some of them out of date.
    """

    books: GlobalState = field(default_factory=GlobalState)
    rules: Rules = field(default_factory=Rules)
    groups: dict[str, Group] = field(default_factory=dict)
    digests: dict[str, PendingDigest] = field(default_factory=dict)
    ledgers: dict[str, TriggerStats] = field(default_factory=dict)
    trails: dict[str, list[TraceEntry]] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    strays: tuple[str, ...] = ()
    rows: dict[str, Notification] = field(default_factory=dict)
    census: Counter[str] = field(default_factory=Counter)
    timers: list[tuple[float, str]] = field(default_factory=list)
    prune_at: float = 0.0
    stepped: float = 0.0
    """When the last decision was made, monotonic: what opened since was seen by nobody yet."""
    skew: float | None = None
    """By how much the wall clock was ahead of the monotonic one then; None before the first."""

    def rule(self, trigger: str) -> Rule:
        return self.rules.triggers.get(trigger) or Rule(trigger)

    def adopt(self, decision: Decision, now: Now) -> None:
        """Make a committed decision the state. now: the one the decision was made with."""
        retime = decision.rules is not self.rules or decision.prune_at != self.prune_at
        retime = retime or self.clock_moved(now)
        self.books, self.rules, self.prune_at = decision.books, decision.rules, decision.prune_at
        self.stepped, self.skew = now.mono, now.wall - now.mono
        while self.timers and self.timers[0][0] <= now.mono:
            heapq.heappop(self.timers)
        self.ledgers.update(decision.ledgers)
        self.trails.update(decision.trails)
        for key, group in decision.groups.items():
            self.put_group(key, group)
        for key, held in decision.digests.items():
            self.put_digest(key, held)
        for key, incident in decision.incidents.items():
            if incident is None:
                self.incidents.pop(key, None)
            else:
                self.incidents[key] = incident
        if decision.strays:
            self.strays = ()
        for row in decision.rows.values():
            self.put_row(row, now)
        if retime or len(self.timers) > 64 + 4 * (len(self.groups) + len(self.rows)):
            self._retime(now)

    def due(self, now: Now) -> bool:
        timer = bool(self.timers) and self.timers[0][0] <= now.mono
        return timer or self.prune_at <= now.mono or self.clock_moved(now)

    def clock_moved(self, now: Now) -> bool:
        """Tell whether the wall clock was set, or ran on through a suspend, since the last step."""
        return self.skew is not None and abs(now.wall - now.mono - self.skew) > _STEP

    def deadline(self) -> float:
        """Tell the monotonic time at which the next step is due; infinite if nothing waits."""
        first = min(self.prune_at, self.timers[0][0] if self.timers else inf)
        opens = self.books.gate.opens(self.rules.rate)
        if opens == inf or not any(self._queued()):
            return first
        if opens <= self.stepped:
            # it was open at the last step: what is left stands back for a while
            opens = min((row.not_before for row in self._queued()), default=inf)
        return min(first, opens)

    def _queued(self) -> Iterable[Notification]:
        return (row for row in self.rows.values() if row.status is Status.QUEUED)

    def put_group(self, key: str, group: Group | None) -> None:
        before = self.groups.get(key)
        if group is None:
            if before is not None:
                self.census[before.trigger] -= 1
                del self.groups[key]
            return
        if before is None:
            self.census[group.trigger] += 1
        self.groups[key] = group
        self._arm(deadline(group, self.rule(group.trigger)), key)

    def put_digest(self, key: str, held: PendingDigest | None) -> None:
        if held is None:
            self.digests.pop(key, None)
            return
        self.digests[key] = held
        if not held.placed:
            self._arm(held.due, key)

    def put_row(self, row: Notification, now: Now) -> None:
        if not row.status.is_waiting:
            self.rows.pop(row.id, None)
            return
        known = self.rows.get(row.id)
        self.rows[row.id] = row
        if known and (known.status, known.expires, known.not_before) == (
            row.status,
            row.expires,
            row.not_before,
        ):
            return
        self._arm(now.mono + row.expires - now.wall, row.id)
        if row.status is Status.HELD:
            self._arm(row.not_before, row.id)

    def _arm(self, at: float, key: str) -> None:
        if at < inf:
            heapq.heappush(self.timers, (at, key))

    def _retime(self, now: Now) -> None:
        self.timers.clear()
        for key, group in self.groups.items():
            self._arm(deadline(group, self.rule(group.trigger)), key)
        for key, held in self.digests.items():
            if not held.placed:
                self._arm(held.due, key)
        for row in self.rows.values():
            self._arm(now.mono + row.expires - now.wall, row.id)
            if row.status is Status.HELD:
                self._arm(row.not_before, row.id)
