"""Processes that start and end, none of them our children."""

import asyncio
import os
import resource
from collections.abc import Callable, Mapping
from concurrent.futures import Executor

from notifyd.config.triggers import ProcessTriggerConfig
from notifyd.model.events import Event, SourceBatch
from notifyd.model.health import Problem, SourceHealth
from notifyd.sources.base import Emit
from notifyd.sources.batches import batched
from notifyd.sources.processes import procfs
from notifyd.sources.processes.discovery import ProcessDiscovery
from notifyd.sources.processes.exit_watcher import ExitWatcher
from notifyd.sources.processes.scanner import ProcessMatch, ProcessScanner
from notifyd.sources.processes.selector import Selector
from notifyd.sources.processes.watched import ExitInfo, WatchedProcess, end_event, start_event
from notifyd.sources.readable import readable
from notifyd.sources.stored_values import CheckpointValueError, RefusedValues, StoredFields

AT_ONCE = 500
"""Processes in one reading."""
SPARE = 256
"""Descriptors that are left to the rest of the daemon."""


class ProcessSource:
    """Watches processes for all process triggers.

    positions: `process:<trigger>` remembers the terms under which a trigger was armed,
    `process:<trigger>:<pid>` a watched process. boot_id: the kernel's, new with every boot.
    executor: where /proc is read, which may block. every: seconds between two searches.
    connector: whether to ask the kernel for news. descriptors: how many pidfds to use at most.

    Where the kernel may not be asked, what lives shorter than `every` may be missed.
    """

    name = "process"

    def __init__(
        self,
        triggers: Mapping[str, ProcessTriggerConfig],
        positions: Mapping[str, str],
        *,
        wall: Callable[[], float],
        boot_id: str,
        uptime: Callable[[], float] = procfs.uptime,
        executor: Executor | None = None,
        every: float = 1.0,
        connector: bool = True,
        descriptors: int | None = None,
    ) -> None:
        self._wall = wall
        self._boot = boot_id
        self._uptime = uptime
        self._executor = executor
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._descriptors = max(soft - SPARE, 0) if descriptors is None else descriptors
        self._selectors = {name: Selector(trigger) for name, trigger in triggers.items()}
        self._every = every
        self._connector = connector
        self._census = ProcessScanner(self._selectors, wall)
        self._vigil = ExitWatcher()
        self._turn = asyncio.Lock()
        self._watched: dict[int, WatchedProcess] = {}
        self._by_pidfd: dict[int, WatchedProcess] = {}
        self._ended: set[tuple[int, int]] = set()
        """Pid and start of those that ended since the current search began: it may list them."""
        self._remembered: dict[tuple[int, int, str], WatchedProcess] = {}
        self._armed: set[str] = set()
        self._strangers: set[str] = set()
        self._refused = RefusedValues(self.name)
        self._untold = False
        self._load(positions)

    def health(self) -> SourceHealth:
        problems = [
            Problem("trigger", f"{name}: {selector.problem}")
            for name, selector in self._selectors.items()
            if selector.problem
        ]
        if missing := sum(each.pidfd < 0 for each in self._watched.values()):
            many = "processes are" if missing > 1 else "process is"
            sentence = (
                f"{missing} {many} looked at once a second, for want of descriptors, "
                "and the exit status may be missed: raise LimitNOFILE= or `ulimit -n`"
            )
            problems.append(Problem("descriptors", sentence, subject="processes"))
        if self._untold:
            sentence = (
                "the exit status of some processes could not be known, so failures may be missed: "
                "that needs Linux 6.15, or notifyd to run as the user of these processes"
            )
            problems.append(Problem("status", sentence))
        return SourceHealth(self.name, len(self._watched), (*problems, *self._refused.problems))

    async def run(self, emit: Emit) -> None:
        self._vigil = ExitWatcher()
        self._turn = asyncio.Lock()
        # An earlier run may have ended before what it had found was committed.
        self._census = ProcessScanner(self._selectors, self._wall)
        finder = ProcessDiscovery(
            self._census, self._executor, self._every, connector=self._connector
        )
        try:
            await self._resume(emit)
            async with asyncio.TaskGroup() as group, finder:
                group.create_task(self._attend(emit))
                await self._find(finder, emit)
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        finally:
            for pidfd in self._by_pidfd:
                os.close(pidfd)
            self._by_pidfd.clear()
            self._vigil.close()
            for watched in self._watched.values():
                watched.pidfd = -1
                self._remembered[watched.identity] = watched
            self._watched.clear()
            self._ended.clear()

    def _load(self, positions: Mapping[str, str]) -> None:
        for key, value in positions.items():
            _, name, *pid = key.split(":", 2)
            if name not in self._selectors:
                self._strangers.add(key)
            elif pid:
                self._load_process(key, name, pid[0], value)
            elif value == self._selectors[name].terms:
                self._armed.add(name)
            else:
                self._check_terms(key, name, value)

    def _load_process(self, key: str, name: str, pid: str, value: str) -> None:
        try:
            watched = WatchedProcess.decode(pid, value)
        except CheckpointValueError as error:
            self._strangers.add(key)
            what = f"state of process {pid} for trigger {name}"
            consequence = "if the process has ended, its end is not reported"
            self._refused.add(key, what, error, consequence)
            return
        watched = self._remembered.setdefault(watched.identity, watched)
        watched.triggers = (*watched.triggers, name)

    def _check_terms(self, key: str, name: str, value: str) -> None:
        """Refuse terms that are damaged rather than those of another configuration."""
        try:
            StoredFields.decode(value)
        except CheckpointValueError as error:
            what = f"selection of trigger {name}"
            consequence = "processes that started while notifyd was stopped are not reported"
            self._refused.add(key, what, error, consequence)

    async def _resume(self, emit: Emit) -> None:
        """Go on with what was watched before, and tell what has ended since."""
        ended = []
        for identity, watched in list(self._remembered.items()):
            if watched.boot == self._boot and self._arm(watched):
                self._watched[watched.pid] = watched
                del self._remembered[identity]
            else:
                rebooted = watched.boot != self._boot
                ended.append((watched, ExitInfo(absent=True, rebooted=rebooted)))
        await self._tell(ended, emit)
        self._remembered.clear()

    async def _find(self, finder: ProcessDiscovery, emit: Emit) -> None:
        """Search for processes, again and again."""
        arming = frozenset(self._selectors.keys() - self._armed)
        matches, armed, told = await finder.all(arming), False, self.health().problems
        while True:
            async with self._turn:
                await self._tell_ends(emit)
                await self._tell(await self._check_by_hand(), emit)
                await self._take(matches, emit)
                if not armed:
                    armed = True
                    await emit(SourceBatch((), dict.fromkeys(self._strangers)))
                    self._strangers.clear()
                    self._refused.log()
                if told != (told := self.health().problems):
                    await emit(SourceBatch((), {}))
            hurried = len(self._watched) > len(self._by_pidfd)
            matches = await finder.next(self._watched, hurried=hurried)

    async def _attend(self, emit: Emit) -> None:
        """Wait for ends."""
        loop = asyncio.get_running_loop()
        while True:
            due = self._vigil.deadline
            await readable(self._vigil.fileno(), due and max(0.0, due - loop.time()))
            async with self._turn:
                await self._tell_ends(emit)

    async def _tell_ends(self, emit: Emit) -> None:
        loop = asyncio.get_running_loop()
        while ended := self._vigil.ended(loop.time(), AT_ONCE):
            seen = ((self._by_pidfd[pidfd], status) for pidfd, status in ended)
            await self._tell([(each, self._end(each, status)) for each, status in seen], emit)

    async def _check_by_hand(self) -> list[tuple[WatchedProcess, ExitInfo]]:
        """Look whether those for which there was no descriptor still run."""
        ended = []
        for watched in [each for each in self._watched.values() if each.pidfd < 0]:
            found = procfs.stat(watched.pid)
            if found is None or found.start != watched.start or found.zombie:
                status = procfs.zombie_status(watched.pid) if found and found.zombie else None
                ended.append((watched, self._end(watched, status)))
            else:
                self._arm(watched)
        return ended

    async def _take(self, matches: list[ProcessMatch], emit: Emit) -> None:
        """Watch what was found, and tell of what has started since its trigger was armed."""
        fresh = [match for match in matches if (match.pid, match.start) not in self._ended]
        self._ended.clear()
        for some in batched(fresh, AT_ONCE):
            events: list[Event] = []
            remembered: dict[str, str | None] = {}
            taken: dict[int, tuple[WatchedProcess, tuple[str, ...]]] = {}
            for match in some:
                watched, before = taken.get(match.pid) or (self._watching(match), ())
                if watched is None:
                    continue
                known = watched.triggers + before
                triggers = tuple(name for name in match.triggers if name not in known)
                taken[watched.pid] = watched, before + triggers
                for name in triggers:
                    remembered[f"process:{name}:{watched.pid}"] = watched.encode()
                    selector = self._selectors[name]
                    if name in self._armed and "start" in selector.on:
                        events.append(start_event(name, selector.name, watched, self._wall()))
            if remembered:
                await emit(SourceBatch(tuple(events), remembered))
                self._strangers -= remembered.keys()
            for watched, triggers in taken.values():
                watched.triggers += triggers
                self._watched[watched.pid] = watched
        if unarmed := self._selectors.keys() - self._armed:
            terms = {f"process:{name}": self._selectors[name].terms for name in unarmed}
            await emit(SourceBatch((), terms))
            self._armed |= unarmed

    def _watching(self, match: ProcessMatch) -> WatchedProcess | None:
        """Give the record of a match's process, a new one if need be; None if it is gone."""
        pid, start = match.pid, match.start
        known = self._watched.get(pid)
        if known is not None and known.start == start:
            return known
        watched = WatchedProcess.found(match, self._boot)
        if known is None and self._arm(watched):
            return watched
        self._census.forget(pid)
        return None

    def _arm(self, watched: WatchedProcess) -> bool:
        """Get a descriptor for the process, if there is one left; False if it is gone."""
        pidfd = -1
        try:
            if len(self._by_pidfd) < self._descriptors:
                pidfd = os.pidfd_open(watched.pid)
        except ProcessLookupError:
            return False
        except OSError:  # no descriptor left, or a kernel before 5.3: it is looked at instead
            pass
        found = procfs.stat(watched.pid)
        same = found is not None and found.start == watched.start
        if pidfd >= 0:
            if same:
                watched.pidfd = pidfd
                self._by_pidfd[pidfd] = watched
                self._vigil.add(pidfd, watched.pid)
            else:
                os.close(pidfd)
        return same

    def _end(self, watched: WatchedProcess, status: int | None) -> ExitInfo:
        return ExitInfo(status, max(0.0, self._uptime() - procfs.seconds(watched.start)))

    async def _tell(self, ended: list[tuple[WatchedProcess, ExitInfo]], emit: Emit) -> None:
        for some in batched(ended, AT_ONCE):
            events = [
                end_event(name, self._selectors[name].name, watched, self._wall(), end)
                for watched, end in some
                for name in watched.triggers
                if self._is_wanted(name, end)
            ]
            forgotten = [
                f"process:{name}:{watched.pid}" for watched, _ in some for name in watched.triggers
            ]
            if forgotten:
                await emit(SourceBatch(tuple(events), dict.fromkeys(forgotten)))
            for watched, _ in some:
                self._drop(watched)

    def _is_wanted(self, trigger: str, end: ExitInfo) -> bool:
        on = self._selectors[trigger].on
        if "failure" in on and end.status is None and not end.absent:
            self._untold = True
        return "exit" in on or ("failure" in on and end.failed)

    def _drop(self, watched: WatchedProcess) -> None:
        self._ended.add((watched.pid, watched.start))
        if self._watched.get(watched.pid) is watched:
            del self._watched[watched.pid]
        if watched.pidfd >= 0:
            del self._by_pidfd[watched.pidfd]
            os.close(watched.pidfd)
            watched.pidfd = -1
        self._census.forget(watched.pid)
