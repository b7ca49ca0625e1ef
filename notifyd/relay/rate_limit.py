"""A sliding window, exact: never more than `max` in any `per` seconds, and when there is room."""

from collections import deque
from typing import NamedTuple

_SWEEP_ABOVE = 1000
"""Keys kept before those that have gone quiet are looked for."""


class SendRate(NamedTuple):
    """At most `max` in any window of `per` seconds."""

    max: int
    per: float


class WorkspaceRateLimiter:
    """Counts per key. A leaky bucket would allow twice `max` in one window."""

    def __init__(self, rate: SendRate) -> None:
        self._rate = rate
        self._taken: dict[str, deque[float]] = {}

    def take(self, key: str, mono: float) -> float:
        """Take one and return 0.0, or take nothing and return the seconds until there is room."""
        if len(self._taken) > _SWEEP_ABOVE:
            self._sweep(mono)
        taken = self._taken.setdefault(key, deque())
        while taken and taken[0] <= mono - self._rate.per:
            taken.popleft()
        if len(taken) >= self._rate.max:
            return taken[0] + self._rate.per - mono
        taken.append(mono)
        return 0.0

    def _sweep(self, mono: float) -> None:
        quiet = mono - self._rate.per
        self._taken = {key: taken for key, taken in self._taken.items() if taken[-1] > quiet}
