"""Finds the processes that triggers select, reading only what is new or may have changed."""

import os
from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import NamedTuple

from notifyd.sources.processes import procfs
from notifyd.sources.processes.jobs import Ancestry, is_wrapper, wrappers_of_job
from notifyd.sources.processes.process_match import ProcessMatch
from notifyd.sources.processes.procfs import Process
from notifyd.sources.processes.selector import ProcessSelector

_MAX_AGE_STEP = 64
"""A known process may exec: it is read again 1, 2, 4 … scans after the first, then every 64."""
_COPY_SEARCHES = 10
"""How often copies are searched for at most, while new processes appear."""


class ProcessTiming(NamedTuple):
    """In seconds. interval: between two scans. copy_age: no match before, unless it has execed.

    start_wait: for which the start of a wrapper waits for a job below it. launcher_time: within
    which a launcher succeeds, and leaves a copy that does its job. leftover_wait: for which
    processes that a job leaves behind are not watched.
    """

    interval: float = 1.0
    copy_age: float = 0.5
    start_wait: float = 0.5
    launcher_time: float = 5.0
    leftover_wait: float = 30.0


TIMING = ProcessTiming()


class ProcessScanner:
    """Blocking; one caller at a time. wall: returns seconds since the epoch.

    Between fork and exec, a process shows its parent's program. So a process that has not execed
    is matched only once it is `timing.copy_age` old, and one that ends earlier never counts.
    """

    def __init__(
        self,
        selectors: Mapping[str, ProcessSelector],
        wall: Callable[[], float],
        timing: ProcessTiming = TIMING,
    ) -> None:
        self.timing = timing
        self._selectors = selectors
        for selector in selectors.values():
            selector.reset()
        self._scanned = {name: s for name, s in selectors.items() if s.needs_scans}
        self._wall = wall
        self._scans = 0
        self._first_scans: dict[int, int] = {}
        self._forgotten: set[int] = set()
        self._unread: set[int] = set()
        """Pids that could not be read at the moment."""
        self.young_copies: set[int] = set()
        """Pids of copies of their parents that are too young to be matched."""
        self._wrappers_with_jobs: set[tuple[int, int, str]] = set()
        """Pid, start and trigger of wrappers below which a job was found."""
        self._parts: dict[tuple[int, int], int] = {}
        """Parts of jobs by pid and start, with a hash of what they ran: an exec changes it."""
        self._parts_due = False
        self._leftovers: dict[tuple[int, int], float] = {}
        """Pid and start of processes left behind by a job, with the time until which they are not
        watched, in seconds after boot."""
        self._scan_began = 0.0

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

    @property
    def needs_scan_soon(self) -> bool:
        """Whether processes wait for a scan.

        These are young copies, what a job has left behind, and what could not be read.
        """
        waiting = any(self._scan_began <= until < inf for until in list(self._leftovers.values()))
        return bool(self.young_copies or waiting or self._parts_due or self._unread)

    def recheck_parts(self) -> None:
        """Check in the next scan which parts of jobs have lost their job."""
        pids = {pid for pid, _ in list(self._parts)}
        self._forgotten.update(pids)
        self._parts_due = bool(pids)

    def postpone(self, match: ProcessMatch, wait: float) -> None:
        """Do not watch a process that a job has left behind for this many seconds."""
        self._leftovers[match.pid, match.start] = procfs.uptime() + wait
        self.forget(match.pid)

    def is_postponed(self, match: ProcessMatch) -> bool:
        """Return whether a job was found to have left this process behind after it was matched."""
        return not match.is_leftover and (match.pid, match.start) in self._leftovers

    def retry(self, match: ProcessMatch) -> None:
        """Match a process again in the next scan, which is due soon."""
        self.young_copies.add(match.pid)
        self.forget(match.pid)

    def orphaned_copies(self, since: int) -> list[ProcessMatch]:
        """Return selected copies of ended parents.

        since: the earliest start, in clock ticks after boot. May be called from any thread.
        """
        found: list[ProcessMatch] = []
        searched: set[int] = set()
        for _ in range(_COPY_SEARCHES):
            # A copy may have been forked meanwhile, by one that has ended since.
            try:
                new = set(procfs.list_pids()) - searched
            except OSError:
                break
            if not new:
                break
            found += self._orphaned_copies_among(sorted(new), since)
            searched |= new
        return found

    def _orphaned_copies_among(self, pids: list[int], since: int) -> list[ProcessMatch]:
        found, ancestry = [], Ancestry()
        for pid in pids:
            try:
                seen = procfs.read_stat(pid)
                if seen is None or not seen.is_copy or seen.start < since or pid == os.getpid():
                    continue
                process = procfs.read_process(pid)
            except OSError:
                continue
            if process is None or not process.stat.is_copy:  # it has ended or execed meanwhile
                continue
            triggers = [
                name
                for name, selector in self._scanned.items()
                if selector.matches(process) and not ancestry.selected(process, selector)
            ]
            if triggers:
                found.append(ProcessMatch.of(process, triggers))
        return found

    def scan(self, arming: frozenset[str]) -> list[ProcessMatch]:
        """Check all processes. arming: triggers that take copies of a parent as they are.

        OSError, and nothing is changed, if processes cannot be listed or read at the moment.
        """
        leftovers = list(self._leftovers)
        present = set(procfs.list_pids()) if self._scanned else set()
        matches = self._match_named(arming)
        if not self._scanned:
            return matches
        self._scans += 1
        self._scan_began = procfs.uptime()
        self._parts_due = False
        forgotten, self._forgotten = self._forgotten, set()  # `forget` is called meanwhile
        forgotten |= self._unread
        self._unread = set()
        for pid in forgotten | (self._first_scans.keys() - present):
            self._first_scans.pop(pid, None)
        self.young_copies &= present
        for identity in leftovers:
            if identity[0] not in present:
                self._leftovers.pop(identity, None)
        self._discard_ended(present)
        ages = {pid: self._scans - self._first_scans.get(pid, self._scans) for pid in present}
        return matches + self._match([pid for pid in present if _is_due(ages[pid])], arming)

    def check(self, pids: Iterable[int]) -> list[ProcessMatch]:
        """Check processes that have just execed."""
        return self._match(pids, frozenset()) if self._scanned else []

    def check_pidfiles(self) -> list[ProcessMatch]:
        return self._match_named(frozenset())

    def _match(self, pids: Iterable[int], arming: frozenset[str]) -> list[ProcessMatch]:
        matches, now, ancestry = [], procfs.uptime(), Ancestry()
        for pid in pids:
            self._first_scans.setdefault(pid, self._scans)
            try:
                match = self._match_one(pid, arming, now, ancestry)
            except OSError:
                self._unread.add(pid)
                continue
            if match is not None:
                matches.append(match)
        return [
            each for match in matches if (each := self._without_wrapper_triggers(match)).triggers
        ]

    def _match_one(
        self, pid: int, arming: frozenset[str], now: float, ancestry: Ancestry
    ) -> ProcessMatch | None:
        process = None if pid == os.getpid() else procfs.read_process(pid)
        if process is None:
            return None
        triggers = [name for name, each in self._scanned.items() if each.matches(process)]
        if triggers and ancestry.is_command(process):
            return None
        self.young_copies.discard(pid)
        is_young = now - process.stat.started < self.timing.copy_age
        if triggers and process.stat.is_copy and is_young:
            self.young_copies.add(pid)
            self._first_scans[pid] = self._scans
            triggers = [name for name in triggers if name in arming]
        return self._match_job(process, triggers, ancestry) if triggers else None

    def _match_job(
        self, process: Process, triggers: Iterable[str], ancestry: Ancestry
    ) -> ProcessMatch | None:
        """Return a match of the triggers for which the process is a job; None if there are none."""
        identity = (process.pid, process.stat.start)
        jobs, wrapper_for, wrappers = [], [], []
        for name in triggers:
            selector = self._scanned[name]
            above = wrappers_of_job(process, selector, ancestry)
            if above is None:
                continue
            jobs.append(name)
            if is_wrapper(process, selector):
                wrapper_for.append(name)
            wrappers += [(name, each.pid) for each in above]
            self._wrappers_with_jobs.update((each.pid, each.stat.start, name) for each in above)
        if not jobs:
            self._parts[identity] = hash(process.arguments)
            return None
        if self._parts.pop(identity, None) == hash(process.arguments):
            self._leftovers.setdefault(identity, procfs.uptime() + self.timing.leftover_wait)
        until = self._leftovers.get(identity, 0.0)
        if procfs.uptime() < until:
            self._first_scans[process.pid] = self._scans
            return None
        return ProcessMatch.of(process, jobs)._replace(
            wrapper_for=tuple(wrapper_for), wrappers=tuple(wrappers), is_leftover=until > 0.0
        )

    def _without_wrapper_triggers(self, match: ProcessMatch) -> ProcessMatch:
        """Return a match without the triggers for which the process is a wrapper of a job."""
        wrapped = [
            name
            for name in match.wrapper_for
            if (match.pid, match.start, name) in self._wrappers_with_jobs
        ]
        if not wrapped:
            return match
        return match._replace(
            triggers=tuple(name for name in match.triggers if name not in wrapped)
        )

    def _discard_ended(self, present: set[int]) -> None:
        for identity in [each for each in self._parts if each[0] not in present]:
            del self._parts[identity]
        self._wrappers_with_jobs = {each for each in self._wrappers_with_jobs if each[0] in present}

    def _match_named(self, arming: frozenset[str]) -> list[ProcessMatch]:
        """Match pidfiles and pids; a pid once only, because the kernel may reuse it."""
        matches = []
        for name, selector in self._selectors.items():
            try:
                process = selector.read_pidfile(self._wall())
            except OSError:
                selector.reset()
                continue
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
