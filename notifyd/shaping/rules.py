"""What the configuration says of shaping and sending, as the fold receives it."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field

from notifyd.model.notifications import Priority
from notifyd.model.time_windows import TimeWindow


@dataclass(frozen=True, slots=True)
class Rule:
    """The shaping of one trigger. Durations are seconds.

    identity: changes with anything that makes earlier groups meaningless (type, group_by).
    lasting: whether it tells of conditions that last; repeat: when to remind of one, the last step
    goes on; resolve: whether its end is told.
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

    @property
    def notifies_each_match(self) -> bool:
        return not self.debounce and not self.cooldown


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `max` in any window of `per` seconds."""

    max: int
    per: float

    def within(self, times: tuple[float, ...], now: float) -> tuple[float, ...]:
        """Keep the times, in order, that lie in the window that ends now."""
        # `at + per`, as deadlines are computed: the other way round may differ by a rounding
        return times[bisect_right(times, now, key=lambda at: at + self.per) :]


@dataclass(frozen=True, slots=True)
class Rules:
    triggers: Mapping[str, Rule] = field(default_factory=dict)
    rate: Limit = Limit(30, 60.0)
    budget: Limit = Limit(20, 3600.0)
    expire: float = 86400.0
    probe: float = 900.0
    history: float = 604800.0
    digest: bool = True
    capacity: int = 10_000
    """How many notifications may wait; beyond it matches are only counted, requests refused."""

    @property
    def storm_limit(self) -> float:
        """How many may wait before those never tried are merged: two minutes of the rate."""
        return max(2.0, 120.0 * self.rate.max / self.rate.per)
