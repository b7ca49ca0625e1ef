"""Finds the processes that triggers select, reading only what is new or may have changed."""

import os
import pwd
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from sys import intern
from typing import NamedTuple, Self

from notifyd.sources.processes import procfs
from notifyd.sources.processes.procfs import Process
from notifyd.sources.processes.selector import ProcessSelector

_MAX_AGE_STEP = 64
"""A known process may exec: it is read again 1, 2, 4 … scans after the first, then every 64."""
_COPY_AGE = 0.5
_MAX_CMDLINE = 1000
"""Characters of a command line that are kept and shown."""


def _truncate(line: str) -> str:
    return line if len(line) <= _MAX_CMDLINE else line[: _MAX_CMDLINE - 1] + "…"


class ProcessMatch(NamedTuple):
    """A process and the triggers that select it. start: clock ticks after boot.

    Thousands of matches may be alike, so they share their strings.
    """

    pid: int
    start: int
    name: str
    cmdline: str
    user: str
    triggers: tuple[str, ...]

    @classmethod
    def of(cls, process: Process, triggers: Iterable[str]) -> Self:
        uid = procfs.read_uid(process.pid)
        return cls(
            process.pid,
            process.stat.start,
            intern(process.name),
            intern(_truncate(process.command_line)),
            "" if uid is None else _user_name(uid),
            tuple(triggers),
        )


class ProcessScanner:
    """Blocking; one caller at a time. wall: returns seconds since the epoch.

    Between fork and exec, a process shows its parent's program. So a process that has not execed
    is matched only once it is half a second old, and one that ends earlier never counts.
    """

    def __init__(self, selectors: Mapping[str, ProcessSelector], wall: Callable[[], float]) -> None:
        self._selectors = selectors
        for selector in selectors.values():
            selector.reset()
        self._scanned = {name: s for name, s in selectors.items() if s.needs_scans}
        self._wall = wall
        self._scans = 0
        self._first_scans: dict[int, int] = {}
        self._forgotten: set[int] = set()
        self.young_copies: set[int] = set()
        """Pids of copies of their parents that are too young to be matched."""

    @property
    def needs_scans(self) -> bool:
        """Whether any trigger selects processes by name or command line."""
        return bool(self._scanned)

    @property
    def has_pidfiles(self) -> bool:
        return any(selector.pidfile for selector in self._selectors.values())

    def forget(self, pid: int) -> None:
        """Treat this pid as a new process in the next scan."""
        self._forgotten.add(pid)

    def scan(self, arming: frozenset[str]) -> list[ProcessMatch]:
        """Check all processes. arming: triggers that take copies of a parent as they are."""
        matches = self._match_named(arming)
        if not self._scanned:
            return matches
        self._scans += 1
        present = set(procfs.list_pids())
        forgotten, self._forgotten = self._forgotten, set()
        for pid in forgotten | (self._first_scans.keys() - present):
            self._first_scans.pop(pid, None)
        self.young_copies &= present
        ages = {pid: self._scans - self._first_scans.get(pid, self._scans) for pid in present}
        return matches + self._match([pid for pid in present if _is_due(ages[pid])], arming)

    def check(self, pids: Iterable[int]) -> list[ProcessMatch]:
        """Check processes that have just execed."""
        return self._match(pids, frozenset()) if self._scanned else []

    def check_pidfiles(self) -> list[ProcessMatch]:
        return self._match_named(frozenset())

    def _match(self, pids: Iterable[int], arming: frozenset[str]) -> list[ProcessMatch]:
        matches, now = [], procfs.uptime()
        for pid in pids:
            self._first_scans.setdefault(pid, self._scans)
            process = None if pid == os.getpid() else procfs.read_process(pid)
            if process is None:
                continue
            triggers = [name for name, each in self._scanned.items() if each.matches(process)]
            self.young_copies.discard(pid)
            if triggers and process.stat.is_copy and now - process.stat.started < _COPY_AGE:
                self.young_copies.add(pid)
                self._first_scans[pid] = self._scans
                triggers = [name for name in triggers if name in arming]
            if triggers:
                matches.append(ProcessMatch.of(process, triggers))
        return matches

    def _match_named(self, arming: frozenset[str]) -> list[ProcessMatch]:
        """Match pidfiles and pids; a pid once only, because the kernel may reuse it."""
        matches = []
        for name, selector in self._selectors.items():
            process = selector.read_pidfile(self._wall())
            if selector.pid is not None and name in arming:
                process = procfs.read_process(selector.pid)
                if process is None or not selector.matches(process):
                    process = None
                    selector.problem = (
                        f"pid {selector.pid} was not running when the trigger was armed; set the "
                        "pid of a running process, or use pidfile"
                    )
            if process is not None and process.pid != os.getpid():
                matches.append(ProcessMatch.of(process, [name]))
        return matches


def _is_due(age: int) -> bool:
    """Return whether to read a process first seen this many scans ago."""
    return age % _MAX_AGE_STEP == 0 or age.bit_count() == 1


@lru_cache(256)
def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
