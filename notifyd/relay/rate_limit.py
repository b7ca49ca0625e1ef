"""How fast each workspace may send: the platform's own limit, so the window is exact."""

from collections import deque

from notifyd.http.rate_limit import Rate

_SWEEP_ABOVE = 1000
"""Workspaces kept before those that have gone quiet are looked for."""


class WorkspaceRateLimiter:
    """A sliding window for each workspace: never more than `max` in any `per` seconds.

    A leaky bucket lets twice as many pass in its first window. A daemon that promises to keep to
    the platform's limit can be checked against this one.
    """

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._taken: dict[str, deque[float]] = {}

    def take(self, workspace_id: str, mono: float) -> float:
        """Take one and return 0.0, or take nothing and return the seconds until there is room.

        mono: seconds of a clock that never goes back.
        """
        if len(self._taken) > _SWEEP_ABOVE:
            self._sweep(mono)
        taken = self._taken.setdefault(workspace_id, deque())
        while taken and taken[0] <= mono - self._rate.per:
            taken.popleft()
        if len(taken) >= self._rate.max:
            return taken[0] + self._rate.per - mono
        taken.append(mono)
        return 0.0

    def _sweep(self, mono: float) -> None:
        quiet = mono - self._rate.per
        self._taken = {key: taken for key, taken in self._taken.items() if taken[-1] > quiet}
