"""The processes that are watched, each with a pidfd as long as there are descriptors."""

import os
from collections.abc import Collection, Iterator

from notifyd.sources.processes import procfs
from notifyd.sources.processes.exit_watcher import ExitWatcher
from notifyd.sources.processes.oom_kills import OomKills
from notifyd.sources.processes.watched import WatchedProcess

Ended = tuple[WatchedProcess, int | None]
"""A process that has ended, and its wait status if that is known."""


class ProcessTable:
    """max_pidfds: more processes than these are polled. Times: seconds of one monotonic clock.

    `fileno` is readable when `take_exits` has work.
    """

    def __init__(self, max_pidfds: int) -> None:
        self._max_pidfds = max_pidfds
        self._exit_watcher, self._oom_kills = ExitWatcher(), OomKills()
        self._by_pid: dict[int, WatchedProcess] = {}
        self._by_pidfd: dict[int, WatchedProcess] = {}

    def __len__(self) -> int:
        return len(self._by_pid)

    def __iter__(self) -> Iterator[WatchedProcess]:
        return iter(self._by_pid.values())

    def get(self, pid: int) -> WatchedProcess | None:
        return self._by_pid.get(pid)

    @property
    def pids(self) -> Collection[int]:
        return self._by_pid.keys()

    @property
    def polled(self) -> list[WatchedProcess]:
        """Those without a pidfd."""
        return [watched for watched in self if watched.pidfd < 0]

    @property
    def exiting(self) -> Iterator[WatchedProcess]:
        """Those that have ended, but whose exit is not reported yet."""
        return (self._by_pidfd[pidfd] for pidfd in self._exit_watcher.zombies)

    def fileno(self) -> int:
        return self._exit_watcher.fileno()

    @property
    def next_due(self) -> float | None:
        """When `take_exits` or `refresh` has work though `fileno` is not readable."""
        times = (self._exit_watcher.deadline, self._oom_kills.next_refresh)
        return min((time for time in times if time is not None), default=None)

    def refresh(self, now: float) -> None:
        """Take the kernel's counts of kills, if that is due."""
        self._oom_kills.refresh(now)

    def watch(self, watched: WatchedProcess, now: float) -> bool:
        """Open a pidfd if one is left; return False if the process has ended.

        The process is not in the table before `add`.
        """
        pidfd = -1
        try:
            if len(self._by_pidfd) < self._max_pidfds:
                pidfd = os.pidfd_open(watched.pid)
        except ProcessLookupError:
            return False
        except OSError:  # no descriptor left, or a kernel before 5.3: the process is polled
            pass
        try:
            found = procfs.read_stat(watched.pid)
            is_same = found is not None and found.start == watched.start
        except OSError:
            is_same = True
        if pidfd >= 0:
            if is_same:
                watched.pidfd = pidfd
                self._by_pidfd[pidfd] = watched
                self._exit_watcher.add(pidfd, watched.pid)
            else:
                os.close(pidfd)
        if is_same:
            self._oom_kills.watch(watched.pid, now)
        return is_same

    def add(self, watched: WatchedProcess) -> None:
        self._by_pid[watched.pid] = watched

    def remove(self, watched: WatchedProcess) -> None:
        """Stop watching a process, which need not be in the table."""
        self._oom_kills.forget(watched.pid)
        if self._by_pid.get(watched.pid) is watched:
            del self._by_pid[watched.pid]
        if watched.pidfd >= 0:
            del self._by_pidfd[watched.pidfd]
            self._exit_watcher.remove(watched.pidfd)
            os.close(watched.pidfd)
            watched.pidfd = -1

    def take_exits(self, now: float, limit: int) -> list[Ended]:
        """Return processes with a pidfd that have ended, each once."""
        exited = self._exit_watcher.poll(now, limit)
        return [(self._by_pidfd[pidfd], status) for pidfd, status in exited]

    def poll(self, now: float) -> list[Ended]:
        """Return which of the processes without a pidfd have ended; open one for the others."""
        ended: list[Ended] = []
        for watched in self.polled:
            try:
                found = procfs.read_stat(watched.pid)
                status = procfs.zombie_status(watched.pid) if found and found.is_zombie else None
            except OSError:
                continue
            if found is None or found.start != watched.start or found.is_zombie:
                ended.append((watched, status))
            else:
                self.watch(watched, now)
        return ended

    def explain_kills(self, pids: Collection[int]) -> dict[int, str]:
        """Return, by pid, why processes that ended by SIGKILL were killed, if that is known."""
        return self._oom_kills.explain(pids) if pids else {}

    def close(self) -> list[WatchedProcess]:
        """Release all descriptors; return the processes, none of which is watched any more."""
        for pidfd in self._by_pidfd:
            os.close(pidfd)
        self._by_pidfd.clear()
        self._exit_watcher.close()
        self._oom_kills.close()
        left = list(self._by_pid.values())
        for watched in left:
            watched.pidfd = -1
        self._by_pid.clear()
        return left
