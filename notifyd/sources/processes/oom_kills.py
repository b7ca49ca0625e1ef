"""Which of the killed processes the kernel killed for want of memory."""

from collections import Counter
from collections.abc import Collection
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from notifyd.sources.kernel_log import KernelLog
from notifyd.sources.processes.kill_counters import KillCounters, read_kills

OUT_OF_MEMORY: Final = "out of memory"
POSSIBLY_OUT_OF_MEMORY: Final = "possibly out of memory"
REFRESH_INTERVAL: Final = 10.0
"""Seconds from one `refresh` to the next. Kills of others count no longer after two of them."""
_CHECKED_AT_ONCE: Final = 200
"""Processes that one `refresh` asks for their group, which may be another one by now."""


class _Kills(NamedTuple):
    """Counts of one file. before: as of the last refresh but one, since an exit takes a while."""

    before: int
    recent: int


class OomKills:
    """Compares the kernel's counts at the end of a process with those from when it was watched.

    Reads only small files. The kernel's log, where it may be read, says which process it was.
    """

    def __init__(self, proc: Path = Path("/proc"), kernel_log: Path = Path("/dev/kmsg")) -> None:
        self._counters = KillCounters(proc)
        self._log = KernelLog(kernel_log, proc)
        self._counter_of: dict[int, Path] = {}
        self._refreshed_at = 0.0
        self._users: Counter[Path] = Counter()
        """How many processes are compared with each count."""
        self._kills: dict[Path, _Kills] = {}

    def close(self) -> None:
        self._log.close()

    @property
    def next_refresh(self) -> float | None:
        """When `refresh` is due; None if nothing is watched."""
        return self._refreshed_at + REFRESH_INTERVAL if self._counter_of else None

    def watch(self, pid: int, now: float) -> None:
        """Begin to count for a process. now: seconds of any monotonic clock."""
        if not self._counter_of:
            self._refreshed_at = now
        self._log.open()
        self.forget(pid)
        self._follow(pid)

    def _follow(self, pid: int) -> None:
        self._counter_of[pid] = counter = self._counters.find(pid)
        for used in (counter, self._counters.machine):
            self._users[used] += 1
            if used not in self._kills and (count := read_kills(used)) is not None:
                self._kills[used] = _Kills(count, count)

    def forget(self, pid: int) -> None:
        if (counter := self._counter_of.pop(pid, None)) is None:
            return
        for used in (counter, self._counters.machine):
            self._users[used] -= 1
            if not self._users[used]:
                del self._users[used]
                self._kills.pop(used, None)

    def refresh(self, now: float) -> None:
        """Take the present counts, if that is due, as those before a kill to come."""
        if self.next_refresh is None or now < self.next_refresh:
            return
        self._refreshed_at = now
        for counter, kills in list(self._kills.items()):
            count = read_kills(counter)
            if count is None:
                del self._kills[counter]
            else:
                self._kills[counter] = _Kills(kills.recent, count)
        for pid in list(islice(self._counter_of, _CHECKED_AT_ONCE)):
            counter = self._counter_of[pid] = self._counter_of.pop(pid)  # behind all others
            if self._counters.find(pid) != counter and not self._counters.is_exiting(pid):
                self.forget(pid)
                self._follow(pid)

    def explain(self, pids: Collection[int]) -> dict[int, str]:
        """Return, by pid, why processes that have just ended by SIGKILL were killed.

        A pid is missing if it was not for want of memory, or if that is unknown.
        """
        reasons = dict.fromkeys(self._log.take_killed().intersection(pids), OUT_OF_MEMORY)
        for pid in reasons:
            self._take_kill(pid)
        unnamed = [pid for pid in pids if pid not in reasons and pid in self._counter_of]
        killed = Counter(self._counter_of[pid] for pid in unnamed)
        certain = []
        for pid in unnamed:
            counter = self._counter_of[pid]
            kills = self._new_kills(counter)
            if kills is None:  # the group was removed with its last process
                counter, kills = self._counters.machine, self._new_kills(self._counters.machine)
            if not kills or kills < 0:
                continue
            is_certain = counter != self._counters.machine and kills >= killed[counter]
            if is_certain and not self._log.is_open:
                certain.append(pid)
            reasons[pid] = OUT_OF_MEMORY if pid in certain else POSSIBLY_OUT_OF_MEMORY
        for pid in certain:
            self._take_kill(pid)
        return reasons

    def _new_kills(self, counter: Path) -> int | None:
        """Return how many processes were killed lately; None if that is unknown."""
        count, known = read_kills(counter), self._kills.get(counter)
        return None if count is None or known is None else count - known.before

    def _take_kill(self, pid: int) -> None:
        """Let the kill of a process explain no other."""
        counter = self._counter_of.get(pid, self._counters.machine)
        if (kills := self._kills.get(counter)) is not None:
            before = kills.before + 1
            self._kills[counter] = _Kills(before, max(kills.recent, before))
