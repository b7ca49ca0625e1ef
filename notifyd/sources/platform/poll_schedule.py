"""When each path is asked for next: spread evenly, within the shared rate, backing off."""

from collections.abc import Mapping
from dataclasses import dataclass

_JITTER = 0.1
"""Share of an interval by which a poll may come early."""
_LONGEST_BACKOFF = 300.0
_SET_BACK = 2.0
"""Seconds: the clock was set back if it went back further."""
_RESERVED = 0.1
"""Share of the rate that polls leave to what is not a poll."""


@dataclass(slots=True)
class _Path:
    interval: float
    due: float
    failures: int = 0


class RateWindow:
    """At most `limit` requests in any window of `per` seconds. Times: wall-clock seconds.

    A request takes its slot before it leaves and keeps it until `per` after its answer, so that
    the platform never sees more, however long a request travels.
    """

    def __init__(self, limit: int, per: float, times: tuple[float, ...] = ()) -> None:
        self.limit = max(1, limit - int(limit * _RESERVED))
        self.per = per
        self.times = times

    def free_at(self, now: float) -> float:
        """Return when the next request may leave."""
        self._forget(now)
        if len(self.times) < self.limit:
            return now
        return self.times[-self.limit] + self.per

    def take(self, now: float) -> None:
        self._forget(now)
        self.times = (*self.times, now)

    def answered(self, now: float) -> None:
        """Count the slot taken last from now on."""
        if self.times:
            self.times = (*self.times[:-1], max(now, self.times[-1]))

    def _forget(self, now: float) -> None:
        # Times in the future come from a clock that was set back: they count as now.
        kept = (min(time, now) for time in self.times)
        self.times = tuple(time for time in kept if time + self.per > now)


class PollSchedule:
    """The next time for each path. intervals: seconds by path. random: from 0 up to 1.

    The first polls are spread over the shortest interval. If all paths together ask for more than
    the rate, all are polled less often by the same factor.
    """

    def __init__(
        self, intervals: Mapping[str, float], window: RateWindow, *, now: float, random: float
    ) -> None:
        self._window = window
        self._last_seen = now
        demand = sum(1 / interval for interval in intervals.values())
        self.stretch = max(1.0, demand * window.per / window.limit)
        """By how much less often than asked the paths are polled."""
        spread = min(*intervals.values(), 10.0) / max(len(intervals), 1)
        self._paths = {
            path: _Path(interval * self.stretch, now + spread * (index + random * _JITTER))
            for index, (path, interval) in enumerate(intervals.items())
        }

    def next(self, now: float) -> tuple[str, float]:
        """Return the path that is due first, and when it may be asked for.

        If the clock was set back, no path waits longer than its interval.
        """
        if now < self._last_seen - _SET_BACK:
            self.restart(now)
        self._last_seen = now
        path = min(self._paths, key=lambda path: self._paths[path].due)
        return path, max(self._paths[path].due, self._window.free_at(now))

    def succeeded(self, path: str, now: float, random: float) -> None:
        entry = self._paths[path]
        entry.failures = 0
        entry.due = now + entry.interval * (1 - random * _JITTER)

    def failed(self, path: str, now: float, *, random: float, retry_after: float = 0.0) -> None:
        """Ask again later, twice as late after each failure. retry_after: holds for all paths."""
        entry = self._paths[path]
        entry.failures += 1
        backoff = min(entry.interval * 2 ** min(entry.failures - 1, 10), _LONGEST_BACKOFF)
        entry.due = now + max(backoff, entry.interval) * (1 - random * _JITTER)
        if retry_after:
            for other in self._paths.values():
                other.due = max(other.due, now + retry_after)

    def restart(self, now: float) -> None:
        """After a gap in time: whatever was due meanwhile is due now, once."""
        for entry in self._paths.values():
            entry.due = min(entry.due, now + entry.interval)
