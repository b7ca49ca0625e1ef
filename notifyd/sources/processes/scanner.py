"""Finds the processes that triggers mean, reading only those that are new or may have changed."""

import os
import pwd
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from sys import intern
from typing import NamedTuple, Self

from notifyd.sources.processes import procfs
from notifyd.sources.processes.procfs import Process
from notifyd.sources.processes.selector import Selector

_RAREST = 64
"""A process may exec: it is looked at again after 1, 2, 4 … rounds, then once in so many."""
_COPY_AGE = 0.5
_LINE_KEPT = 1000
"""Characters of a command line that are remembered and told."""


def _shortened(line: str) -> str:
    return line if len(line) <= _LINE_KEPT else line[: _LINE_KEPT - 1] + "…"


class ProcessMatch(NamedTuple):
    """A process and the triggers that mean it. start: clock ticks after boot.

    There may be thousands of one kind, so they share their texts.
    """

    pid: int
    start: int
    name: str
    cmdline: str
    user: str
    triggers: tuple[str, ...]

    @classmethod
    def of(cls, process: Process, triggers: Iterable[str]) -> Self:
        uid = procfs.uid(process.pid)
        return cls(
            process.pid,
            process.stat.start,
            intern(process.name),
            intern(_shortened(process.command_line)),
            "" if uid is None else _user_name(uid),
            tuple(triggers),
        )


class ProcessScanner:
    """Looks for processes round by round. Blocking; one caller at a time.

    A process between fork and exec shows its parent's program. So one that has not begun a
    program of its own is judged only when it is half a second old; what lives shorter than that
    never counts.
    """

    def __init__(self, selectors: Mapping[str, Selector], wall: Callable[[], float]) -> None:
        self._selectors = selectors
        for selector in selectors.values():
            selector.begin()
        self._searching = {name: s for name, s in selectors.items() if s.searches}
        self._wall = wall
        self._round = 0
        self._met: dict[int, int] = {}
        self._again: set[int] = set()
        self.undecided: set[int] = set()
        """Copies of their parents, to be judged in the next round."""

    @property
    def searches(self) -> bool:
        """Whether any trigger means processes that must be searched for."""
        return bool(self._searching)

    @property
    def names(self) -> bool:
        """Whether any trigger has a pidfile, which must be looked at."""
        return any(selector.pidfile for selector in self._selectors.values())

    def forget(self, pid: int) -> None:
        """Take this pid for a new process when it is met again."""
        self._again.add(pid)

    def search(self, arming: frozenset[str]) -> list[ProcessMatch]:
        """Look at all processes. arming: triggers which take copies of a parent as they are."""
        matches = self._named(arming)
        if not self._searching:
            return matches
        self._round += 1
        present = set(procfs.pids())
        again, self._again = self._again, set()
        for pid in again | (self._met.keys() - present):
            self._met.pop(pid, None)
        self.undecided &= present
        due = [pid for pid in present if _is_due(self._round - self._met.get(pid, self._round))]
        return matches + self._judge(due, arming)

    def look(self, pids: Iterable[int]) -> list[ProcessMatch]:
        """Look at processes that have just begun a program."""
        return self._judge(pids, frozenset()) if self._searching else []

    def named(self) -> list[ProcessMatch]:
        """Look at what the pidfiles name."""
        return self._named(frozenset())

    def _judge(self, pids: Iterable[int], arming: frozenset[str]) -> list[ProcessMatch]:
        matches, now = [], procfs.uptime()
        for pid in pids:
            self._met.setdefault(pid, self._round)
            process = None if pid == os.getpid() else procfs.process(pid)
            if process is None:
                continue
            wanting = [name for name, each in self._searching.items() if each.wants(process)]
            self.undecided.discard(pid)
            if wanting and process.stat.copy and now - process.stat.started < _COPY_AGE:
                self.undecided.add(pid)
                self._met[pid] = self._round
                wanting = [name for name in wanting if name in arming]
            if wanting:
                matches.append(ProcessMatch.of(process, wanting))
        return matches

    def _named(self, arming: frozenset[str]) -> list[ProcessMatch]:
        """Find what a pidfile or a pid names; a pid once only, for it may be given out again."""
        matches = []
        for name, selector in self._selectors.items():
            process = selector.from_pidfile(self._wall())
            if selector.pid is not None and name in arming:
                process = procfs.process(selector.pid)
                if process is None or not selector.wants(process):
                    process = None
                    selector.problem = (
                        f"pid {selector.pid} is not running: a pid is watched from the time at "
                        "which its trigger is first armed"
                    )
            if process is not None and process.pid != os.getpid():
                matches.append(ProcessMatch.of(process, [name]))
        return matches


def _is_due(age: int) -> bool:
    """Say whether to look at a process that was met so many rounds ago."""
    return age % _RAREST == 0 or age.bit_count() == 1


@lru_cache(256)
def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
