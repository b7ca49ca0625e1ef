"""The rules of shaping and sending: the configuration as the fold receives it."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from math import inf
from typing import Protocol

from notifyd.model.events import FAILURE, severity_of
from notifyd.model.notifications import MatchSummary, Priority
from notifyd.model.persistence import AT_ONCE, Persistence
from notifyd.model.time_windows import TimeWindow


@dataclass(frozen=True, slots=True)
class Rule:
    """The shaping of one trigger. Durations are seconds.

    identity: changes with whatever makes earlier groups meaningless (type, group_by).
    failure_priority: of notifications whose matches include a failure or a critical state; None:
    `priority`.
    has_conditions: whether its events begin and end conditions; repeat: pauses before reminders
    of one, the last one repeats; resolve: whether the end of a condition is reported.
    begin_after, end_after: how firm a change must be before the condition begins or ends.
    """

    trigger: str
    identity: str = ""
    priority: Priority = Priority.DEFAULT
    max_groups: int = 1000
    threshold: int = 1
    window: float = 60.0
    debounce: float = 2.0
    max_wait: float = 30.0
    cooldown: float = 300.0
    cooldown_max: float = 3600.0
    mute: tuple[TimeWindow, ...] = ()
    has_conditions: bool = False
    repeat: tuple[float, ...] = ()
    resolve: bool = True
    begin_after: Persistence = AT_ONCE
    end_after: Persistence = AT_ONCE
    failure_priority: Priority | None = None

    def priority_of(self, summary: MatchSummary) -> Priority:
        """Return the priority of a notification with these matches."""
        has_failure = severity_of(summary.outcomes) >= FAILURE
        return self.failure_priority or self.priority if has_failure else self.priority

    @property
    def notifies_each_match(self) -> bool:
        """Whether no match ever joins the notification of another."""
        return not self.debounce and not self.cooldown


class Recurrence(Protocol):
    """Expected wall-clock times, such as those of a cron expression."""

    def next_time(self, wall: float) -> float:
        """Return the first time after this one."""
        ...

    def format(self, wall: float) -> str: ...


@dataclass(frozen=True, slots=True)
class HeartbeatRule:
    """When pings are expected. Durations are seconds.

    identity: changes with whatever restarts the wait. every: between two pings; ignored with a
    recurrence. grace: None for a share of the time between two pings.
    """

    identity: str
    every: float = 0.0
    recurrence: Recurrence | None = None
    grace: float | None = None
    max_runtime: float = inf


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `max` in any window of `per` seconds."""

    max: int
    per: float

    def within(self, times: tuple[float, ...], now: float) -> tuple[float, ...]:
        """Return those of the sorted times that lie in the window that ends now."""
        # Deadlines are computed as `at + per` too: `now - per` may round differently.
        return times[bisect_right(times, now, key=lambda at: at + self.per) :]


@dataclass(frozen=True, slots=True)
class Budget:
    """How much of priority default and below is sent in any window of `per` seconds.

    max: notifications of each source. total: of all sources together.
    digest_pause: seconds between two digests of what is over the budget.
    """

    max: int = 20
    per: float = 3600.0
    total: int = 60
    digest_pause: float = 600.0


@lru_cache(maxsize=16)
def _default_rule(trigger: str) -> Rule:
    return Rule(trigger)


@dataclass(frozen=True, slots=True)
class AgentRules:
    """When coding agents are reported. Both are seconds.

    grace: how long a question waits for an answer in the terminal. min_duration: of a turn whose
    end is reported.
    """

    grace: float = 30.0
    min_duration: float = 30.0


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules. expire, probe and history are seconds.

    digest: whether digests may replace notifications because of the budget or a storm.
    capacity: how many notifications may wait. Beyond it matches are only counted, and requests
    are refused.
    """

    triggers: Mapping[str, Rule] = field(default_factory=dict)
    heartbeats: Mapping[str, HeartbeatRule] = field(default_factory=dict)
    rate: Limit = Limit(30, 60.0)
    budget: Budget = Budget()
    expire: float = 86400.0
    probe: float = 900.0
    history: float = 604800.0
    digest: bool = True
    capacity: int = 10_000
    agents: AgentRules = AgentRules()

    def rule(self, trigger: str) -> Rule:
        """Return the rule of a trigger; one without limits for messages and removed triggers."""
        return self.triggers.get(trigger) or _default_rule(trigger)

    @property
    def storm_limit(self) -> float:
        """How many may wait before unattempted ones are merged: two minutes of the rate."""
        return max(2.0, 120.0 * self.rate.max / self.rate.per)
