"""The process source: starts and exits of processes that notifyd did not start."""

import asyncio
import os
import resource
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial

from notifyd.config.triggers import ProcessTriggerConfig
from notifyd.model.events import Event, SourceBatch
from notifyd.model.health import Problem, SourceHealth
from notifyd.sources.base import Emit, batched
from notifyd.sources.processes import procfs
from notifyd.sources.processes.discovery import ProcessDiscovery
from notifyd.sources.processes.events import ProcessReporter
from notifyd.sources.processes.process_match import ProcessMatch
from notifyd.sources.processes.registry import ProcessRegistry, process_key, terms_key
from notifyd.sources.processes.scanner import TIMING, ProcessScanner, ProcessTiming
from notifyd.sources.processes.selector import ProcessSelector
from notifyd.sources.processes.successors import ExitedProcess, find_successors
from notifyd.sources.processes.table import Ended, ProcessTable
from notifyd.sources.processes.watched import ExitInfo, WatchedProcess
from notifyd.sources.waiting import wait_readable

BATCH_SIZE = 500
"""Processes in one batch."""
SPARE_DESCRIPTORS = 256
"""Descriptors that are left to the rest of the daemon."""


class ProcessSource:
    """Watches processes for all process triggers.

    checkpoints: `process:<trigger>` stores the selection with which a trigger was armed,
    `process:<trigger>:<pid>` a watched process. boot_id: the kernel's, new at each boot.
    executor: reads /proc, which may block. use_connector: subscribe to the kernel's process events.
    max_pidfds: None for all descriptors that the process may open, less a reserve.

    Without the process connector, a process that lives shorter than the interval of `timing` may be
    missed.
    """

    name = "process"

    def __init__(
        self,
        triggers: Mapping[str, ProcessTriggerConfig],
        checkpoints: Mapping[str, str],
        *,
        wall: Callable[[], float],
        boot_id: str,
        executor: Executor | None = None,
        timing: ProcessTiming = TIMING,
        use_connector: bool = True,
        max_pidfds: int | None = None,
    ) -> None:
        self._wall = wall
        self._boot = boot_id
        self._executor = executor
        soft_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        all_descriptors = max(soft_limit - SPARE_DESCRIPTORS, 0)
        self._max_pidfds = all_descriptors if max_pidfds is None else max_pidfds
        self._selectors = {name: ProcessSelector(trigger) for name, trigger in triggers.items()}
        self._timing = timing
        self._use_connector = use_connector
        self._scanner = ProcessScanner(self._selectors, wall, timing)
        self._table = ProcessTable(self._max_pidfds)
        self._lock = asyncio.Lock()
        self._exited: set[tuple[int, int]] = set()
        """Pid and start of processes reported since the current scan began: it may list them."""
        self._registry = ProcessRegistry(self._selectors, checkpoints)
        self._reporter = ProcessReporter(self._selectors, self._registry, wall)
        self._read_problem = ""

    def health(self) -> SourceHealth:
        problems = [
            Problem("trigger", f"{name}: {selector.problem}")
            for name, selector in self._selectors.items()
            if selector.problem
        ]
        if polled := len(self._table.polled):
            many, their = ("processes are", "their") if polled > 1 else ("process is", "its")
            message = (
                f"{polled} {many} polled once a second for lack of descriptors, so {their} exit "
                "status may be missed; raise LimitNOFILE= or `ulimit -n`"
            )
            problems.append(Problem("descriptors", message, subject="processes"))
        if self._read_problem:
            fix = "raise LimitNOFILE= or `ulimit -n`"
            problems.append(Problem("descriptors", f"{self._read_problem}; {fix}"))
        if self._reporter.has_unknown_status:
            message = (
                "the exit status of some processes is unknown, so failures may be missed; use "
                "Linux 6.15 or newer, or run notifyd as the user of these processes"
            )
            problems.append(Problem("status", message))
        return SourceHealth(
            self.name, len(self._table), (*problems, *self._registry.refused.problems)
        )

    async def run(self, emit: Emit) -> None:
        self._table = ProcessTable(self._max_pidfds)
        self._lock = asyncio.Lock()
        # An earlier run may have ended before its matches were committed.
        self._scanner = ProcessScanner(self._selectors, self._wall, self._timing)
        discovery = ProcessDiscovery(
            self._scanner, self._executor, use_connector=self._use_connector
        )
        try:
            await self._resume(emit)
            async with asyncio.TaskGroup() as group, discovery:
                group.create_task(self._watch_exits(emit))
                await self._discover(discovery, emit)
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        finally:
            left = self._table.close()
            self._registry.restored |= {watched.identity: watched for watched in left}
            self._exited.clear()

    async def _resume(self, emit: Emit) -> None:
        """Continue to watch restored processes, and report those that have ended."""
        exited = []
        for identity, watched in list(self._registry.restored.items()):
            if watched.boot == self._boot and self._table.watch(watched, self._now()):
                self._table.add(watched)
                del self._registry.restored[identity]
            else:
                rebooted = watched.boot != self._boot
                exited.append((watched, ExitInfo(while_stopped=True, rebooted=rebooted)))
        await self._report(exited, emit)
        self._registry.restored.clear()

    async def _discover(self, discovery: ProcessDiscovery, emit: Emit) -> None:
        """Take the matches of one scan after the other."""
        arming = frozenset(self._selectors.keys() - self._registry.armed)
        matches, is_first = await self._find(lambda: discovery.scan(arming), emit), True
        problems = self.health().problems
        while True:
            async with self._lock:
                await self._report_exits(emit)
                await self._report_ended(self._table.poll(self._now()), emit)
                await self._take(matches, emit)
                if is_first:
                    is_first = False
                    await emit(SourceBatch((), dict.fromkeys(self._registry.obsolete_keys)))
                    self._registry.obsolete_keys.clear()
                    self._registry.refused.log()
                if problems != (problems := self.health().problems):
                    await emit(SourceBatch((), {}))
                await self._report_held_starts(emit)
            is_polling = bool(self._table.polled) or any(each.held_starts for each in self._table)
            find = partial(discovery.next_matches, self._table.pids, every_interval=is_polling)
            matches = await self._find(find, emit)

    async def _find(
        self, find: Callable[[], Awaitable[list[ProcessMatch]]], emit: Emit
    ) -> list[ProcessMatch]:
        """Return what is found, once processes can be read."""
        while True:
            try:
                matches = await find()
            except OSError as error:
                if error.errno not in procfs.EXHAUSTED:
                    raise
                problem = f"processes cannot be read at the moment: {os.strerror(error.errno)}"
            else:
                problem = ""
            if problem != self._read_problem:
                self._read_problem = problem
                await emit(SourceBatch((), {}))
            if not problem:
                return matches
            await asyncio.sleep(self._timing.interval)

    async def _watch_exits(self, emit: Emit) -> None:
        while True:
            due = self._table.next_due
            timeout = None if due is None else max(0.0, due - self._now())
            await wait_readable(self._table.fileno(), timeout)
            async with self._lock:
                await self._report_exits(emit)
                self._table.refresh(self._now())

    async def _report_exits(self, emit: Emit) -> None:
        while ended := self._table.take_exits(self._now(), BATCH_SIZE):
            await self._report_ended(ended, emit)

    async def _report_ended(self, ended: Sequence[Ended], emit: Emit) -> None:
        await self._report([(each, self._exit_info(each, status)) for each, status in ended], emit)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    async def _take(self, matches: list[ProcessMatch], emit: Emit) -> None:
        """Watch matches, and report starts of triggers that were armed before."""
        fresh = [match for match in matches if (match.pid, match.start) not in self._exited]
        self._exited.clear()
        for match in [each for each in fresh if self._is_undecided(each)]:
            self._scanner.retry(match)
            fresh.remove(match)
        for batch in batched(fresh, BATCH_SIZE):
            events: list[Event] = []
            stored: dict[str, str | None] = {}
            taken: dict[int, tuple[WatchedProcess, tuple[str, ...]]] = {}
            replaced: list[tuple[str, WatchedProcess]] = []
            for match in batch:
                watched, before = taken.get(match.pid) or (self._watched_process(match), ())
                if watched is None:
                    continue
                known = watched.triggers + before
                triggers = tuple(name for name in match.triggers if name not in known)
                taken[watched.pid] = watched, before + triggers
                if watched.update_program(match):
                    stored |= {process_key(name, watched.pid): watched.encode() for name in known}
                stored |= {process_key(name, watched.pid): watched.encode() for name in triggers}
                events += self._reporter.start_events(match, watched, triggers)
                wrappers = self._watched_wrappers(match)
                stored |= {process_key(name, wrapper.pid): None for name, wrapper in wrappers}
                replaced += wrappers
            if stored:
                await emit(SourceBatch(tuple(events), stored))
                self._registry.obsolete_keys -= stored.keys()
            for watched, triggers in taken.values():
                watched.triggers += triggers
                self._table.add(watched)
            for name, wrapper in replaced:
                wrapper.remove_trigger(name)
                if not wrapper.triggers:
                    self._stop_watching(wrapper)
        if unarmed := self._selectors.keys() - self._registry.armed:
            terms = {terms_key(name): self._selectors[name].terms.encode() for name in unarmed}
            await emit(SourceBatch((), terms))
            self._registry.armed |= unarmed

    def _is_undecided(self, match: ProcessMatch) -> bool:
        """Return whether a match may be what is left of a job whose exit came after the scan."""
        if self._scanner.is_postponed(match):
            return True
        if not match.is_copy or match.is_leftover:
            return False
        return any(
            watched.start <= match.start and set(watched.triggers) & set(match.triggers)
            for watched in self._table.exiting
        )

    def _watched_wrappers(self, match: ProcessMatch) -> list[tuple[str, WatchedProcess]]:
        """Return the watched wrappers above a job, with the trigger that watched each."""
        return [
            (name, wrapper)
            for name, pid in match.wrappers
            if (wrapper := self._table.get(pid)) is not None and name in wrapper.triggers
        ]

    def _watched_process(self, match: ProcessMatch) -> WatchedProcess | None:
        """Return the match's process, watched from now on if it is new; None if it has ended."""
        known = self._table.get(match.pid)
        if known is not None and known.start == match.start:
            return known
        watched = WatchedProcess.from_match(match, self._boot)
        if known is None and self._table.watch(watched, self._now()):
            return watched
        self._scanner.forget(match.pid)
        return None

    async def _report_held_starts(self, emit: Emit) -> None:
        """Report the starts of wrappers below which no job has appeared in time."""
        events: list[Event] = []
        latest = procfs.uptime() - self._timing.start_wait
        for watched in self._table:
            if watched.held_starts and procfs.ticks_to_seconds(watched.start) <= latest:
                events += self._reporter.held_starts(watched)
                watched.held_starts = ()
        if events:
            await emit(SourceBatch(tuple(events), {}))

    def _exit_info(self, watched: WatchedProcess, status: int | None) -> ExitInfo:
        started = procfs.ticks_to_seconds(watched.start)
        return ExitInfo(status, max(0.0, procfs.uptime() - started))

    async def _report(self, exited: list[ExitedProcess], emit: Emit) -> None:
        killed = [watched.pid for watched, exit_info in exited if exit_info.signal == "SIGKILL"]
        causes = self._table.explain_kills(killed)
        exited = [(each, info._replace(cause=causes.get(each.pid, ""))) for each, info in exited]
        for batch in batched(exited, BATCH_SIZE):
            successors = await self._watch_successors(batch)
            events: list[Event] = []
            stored: dict[str, str | None] = {}
            for watched, exit_info in batch:
                events += self._reporter.held_starts(watched)
                inherited = {
                    name for each in successors.get(watched.pid, ()) for name in each.triggers
                }
                own = [name for name in watched.triggers if name not in inherited]
                events += await self._reporter.exit_events(own, watched, exit_info)
                stored |= {process_key(name, watched.pid): None for name in watched.triggers}
            new = [each for found in successors.values() for each in found]
            stored |= {
                process_key(name, each.pid): each.encode() for each in new for name in each.triggers
            }
            if stored:
                await emit(SourceBatch(tuple(events), stored))
            for each in new:
                self._table.add(each)
            for watched, _ in batch:
                self._stop_watching(watched)
        if exited:
            self._scanner.recheck_parts()

    async def _watch_successors(
        self, batch: Sequence[ExitedProcess]
    ) -> dict[int, list[WatchedProcess]]:
        """Start to watch the copies that continue the job of a launcher; return them by its pid."""
        exited = [
            (watched, exit_info)
            for watched, exit_info in batch
            if not exit_info.rebooted
            and any(self._selectors[name].needs_scans for name in watched.triggers)
        ]
        successors: dict[int, list[WatchedProcess]] = {}
        has_ended = True
        while has_ended:  # a successor that has ended already may have one of its own
            has_ended = False
            new = {each.pid for found in successors.values() for each in found}
            known = {*self._table.pids, *new}
            for launcher, match in await find_successors(self._scanner, exited, known):
                successor = WatchedProcess.from_match(match, self._boot)
                successor.triggers = tuple(n for n in launcher.triggers if n in match.triggers)
                if self._table.watch(successor, self._now()):
                    successors.setdefault(launcher.pid, []).append(successor)
                else:
                    has_ended = True
        return successors

    def _stop_watching(self, watched: WatchedProcess) -> None:
        self._exited.add((watched.pid, watched.start))
        self._table.remove(watched)
        self._scanner.forget(watched.pid)
