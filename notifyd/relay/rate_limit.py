"""The platform's rate limit for each workspace, as an exact window."""

from collections import deque

from notifyd.http.rate_limit import Rate

_MAX_WORKSPACES = 1000
"""Above this number, workspaces without a recent request are dropped."""


class WorkspaceRateLimiter:
    """A sliding window for each workspace: never more than `max` in any `per` seconds.

    A leaky bucket admits twice as many in its first window, and a daemon that keeps to the
    platform's limit could not be checked against it.
    """

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._taken: dict[str, deque[float]] = {}

    def take(self, workspace_id: str, mono: float) -> float:
        """Take one and return 0.0, or take nothing and return the seconds until there is room.

        mono: seconds of a clock that never goes back.
        """
        if len(self._taken) > _MAX_WORKSPACES:
            self._drop_quiet(mono)
        taken = self._taken.setdefault(workspace_id, deque())
        while taken and taken[0] <= mono - self._rate.per:
            taken.popleft()
        if len(taken) >= self._rate.max:
            return taken[0] + self._rate.per - mono
        taken.append(mono)
        return 0.0

    def _drop_quiet(self, mono: float) -> None:
        quiet = mono - self._rate.per
        self._taken = {key: taken for key, taken in self._taken.items() if taken[-1] > quiet}
