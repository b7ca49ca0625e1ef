"""The file source: files that are created, modified and deleted."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from math import inf
from pathlib import Path

from watchfiles import Change

from notifyd.config.triggers import FileTriggerConfig
from notifyd.model.events import Event, SourceBatch
from notifyd.model.health import Problem, SourceHealth
from notifyd.sources.base import Emit, batched
from notifyd.sources.files.change_stream import ChangeStream, PathChange, WatchFailedError
from notifyd.sources.files.gitignore import IGNORE_FILE
from notifyd.sources.files.registry import FileRegistry, checkpoint_updates, terms_key
from notifyd.sources.files.snapshot import FileChange, Snapshot
from notifyd.sources.files.state import StatResult, open_paths, stat_paths
from notifyd.sources.missing_paths import MissingPaths
from notifyd.sources.mounts import MountWatcher
from notifyd.sources.path_chains import PathChains
from notifyd.sources.records.staleness import StalenessTimer
from notifyd.sources.unreadable_dirs import directory_problem
from notifyd.text.limits import show_escaped_bytes

EVENTS_PER_BATCH = 500
KEYS_PER_BATCH = 10_000
SWEEP_INTERVAL = 300.0
POLL_INTERVAL = 2.0
UNREADABLE_INTERVAL = 10.0
"""Seconds between two looks at unreadable directories: no event says that one became readable."""
UNREADABLE_PER_INTERVAL = 1000
"""Unreadable directories that are looked at in that time; more of them take longer."""
SWEEP_REST = 9
"""A sweep is followed by this many times its own duration without one."""
CLOCK_GAP = 30.0
"""Seconds between both clocks beyond which a suspend or a paused machine is assumed."""


class FileSource:
    """Watches files for all file triggers.

    checkpoints: `file:<trigger>` stores what was watched when a trigger was armed,
    `file:<trigger>:<path>` a known file. debounce: of triggers without one, in seconds; the
    shortest of all decides how often the kernel's queue is read. excluded: directories that never
    match. executor: runs sweeps and looks, which may block.

    A file that was created and deleted between two looks does not count: most of these are
    temporary names, such as those of rsync and editors. A file with `settle` counts only while
    nobody has it open for writing.
    """

    name = "file"

    def __init__(
        self,
        triggers: Mapping[str, FileTriggerConfig],
        checkpoints: Mapping[str, str],
        *,
        wall: Callable[[], float],
        excluded: tuple[Path, ...] = (),
        executor: Executor | None = None,
        debounce: float = 2.0,
    ) -> None:
        self._wall = wall
        self._executor = executor
        debounces = [debounce if t.debounce is None else t.debounce for t in triggers.values()]
        self._step = min(max(min(debounces, default=debounce) / 16, 0.01), 1.0)
        self._snapshots = {name: Snapshot(t, excluded) for name, t in triggers.items()}
        self._staleness = StalenessTimer(triggers)
        self._registry = FileRegistry(self._snapshots, checkpoints)
        self._watched_dirs: set[str] | None = None
        """None while directories are polled."""
        self._watch_at = self._sweep_at = self._rested_at = 0.0
        self._watch_problem = ""
        self._chains = PathChains()
        self._has_replaced_dirs = False
        self._missing_dirs = MissingPaths()
        self._unreadable: dict[str, str] = {}
        self._check_unreadable_at = inf

    def health(self) -> SourceHealth:
        problems = [Problem("inotify", self._watch_problem)] if self._watch_problem else []
        reasons = sorted(self._unreadable.values())
        problems += [Problem("folder", show_escaped_bytes(reason)) for reason in reasons]
        known = sum(len(snapshot.known) for snapshot in self._snapshots.values())
        missing = tuple(map(show_escaped_bytes, sorted(self._missing_dirs.reported)))
        problems += self._registry.refused.problems
        return SourceHealth(self.name, known, tuple(problems), missing_paths=missing)

    async def run(self, emit: Emit) -> None:
        # Times of an earlier run may be those of another loop.
        self._watched_dirs, self._watch_at, self._sweep_at, self._rested_at = None, 0.0, 0.0, 0.0
        self._missing_dirs = MissingPaths(self._missing_dirs.reported)
        async with ChangeStream(self._step) as stream:
            with MountWatcher() as mounts:
                mounts.call_on_change(stream.wake)
                await self._follow_changes(stream, mounts, emit)

    async def _follow_changes(self, stream: ChangeStream, mounts: MountWatcher, emit: Emit) -> None:
        """Follow until cancelled."""
        loop = asyncio.get_running_loop()
        mono, wall = loop.time(), self._wall()
        await self._sweep(stream, emit)
        self._missing_dirs.report_all()
        await emit(SourceBatch((), {}))
        for keys in batched(self._registry.obsolete_keys, KEYS_PER_BATCH):
            await emit(SourceBatch((), dict.fromkeys(keys)))
        self._registry.obsolete_keys.clear()
        self._registry.refused.log()
        await self._report_stale(emit)  # the waits begin now
        known = self.health().changed_key
        while True:
            if loop.time() >= self._check_unreadable_at:
                await self._check_unreadable()
            if loop.time() >= self._sweep_at:
                await self._sweep(stream, emit)
            self._missing_dirs.report(self._missing_dirs.due(loop.time()))
            if known != (known := self.health().changed_key):
                await emit(SourceBatch((), {}))
            hints = await self._wait_for_hints(stream)
            if any(map(self._chains.paths_near, mounts.take_changed_points())):
                self._request_new_watches()
            offset, (mono, wall) = wall - mono, (loop.time(), self._wall())
            if wall - mono > offset + CLOCK_GAP:
                self._request_sweep()
            await self._follow(hints, emit)
            await self._report_settled(emit)
            await self._report_stale(emit)

    async def _sweep(self, stream: ChangeStream, emit: Emit) -> None:
        """Compare all files with the known ones, and watch where a match could appear."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        directories: set[str] = set()
        unreadable: dict[str, str] = {}
        missing: set[str] = set()
        chains = PathChains()
        for name, snapshot in self._snapshots.items():
            result = await loop.run_in_executor(self._executor, snapshot.sweep)
            snapshot.directories = result.directories
            directories |= result.directories
            unreadable |= result.unreadable
            missing |= result.missing
            for root, chain in result.chains.items():
                chains.update(root, chain)
            if name in self._registry.armed:
                await self._learn(name, result.changes(snapshot, silent=True), emit)
                now = loop.time()
                if result.differences:
                    self._staleness.record_activity(name, now)
                found = [snapshot.observe(path, state, now) for path, state in result.differences]
                # Settled ones are looked at once more, because somebody may be writing to them.
                changes = [] if snapshot.settle else filter(None, found)
                await self._report(((name, change) for change in changes), emit)
            else:
                await self._store_initial(name, result.changes(snapshot), emit)
        now, self._unreadable = loop.time(), unreadable
        self._missing_dirs.update(missing, now)
        has_new_chains = set(chains.entries) != set(self._chains.entries)
        self._chains = chains
        self._check_unreadable_at = now + UNREADABLE_INTERVAL if unreadable else inf
        self._rested_at = now + SWEEP_REST * (now - started)
        has_changed = directories != self._watched_dirs or has_new_chains or self._has_replaced_dirs
        if has_changed and now >= self._watch_at:
            self._has_replaced_dirs = False
            await self._watch(stream, directories)
        else:
            interval = POLL_INTERVAL if self._watched_dirs is None else SWEEP_INTERVAL
            self._sweep_at = max(now + interval, self._rested_at)

    async def _watch(self, stream: ChangeStream, directories: set[str]) -> None:
        try:
            await stream.watch(directories, self._chains.entries)
        except WatchFailedError as error:
            self._on_watch_failed(error)
        else:
            self._watch_problem, self._watched_dirs = "", directories
            # What changed since the sweep has not been reported.
            self._sweep_at = self._rested_at

    def _on_watch_failed(self, error: WatchFailedError) -> None:
        now = asyncio.get_running_loop().time()
        self._watched_dirs = None
        self._watch_problem = "" if error.is_expected else str(error)
        self._watch_at = now + error.retry_after
        self._sweep_at = max(now + min(POLL_INTERVAL, error.retry_after), self._rested_at)

    async def _check_unreadable(self) -> None:
        """Request a sweep if directories became readable, or unreadable for another reason."""
        loop = asyncio.get_running_loop()
        unreadable = list(self._unreadable)
        reasons = await loop.run_in_executor(
            self._executor, lambda: list(map(directory_problem, unreadable))
        )
        intervals = max(1.0, len(unreadable) / UNREADABLE_PER_INTERVAL)
        self._check_unreadable_at = loop.time() + UNREADABLE_INTERVAL * intervals
        if reasons != list(self._unreadable.values()):
            self._request_sweep()

    def _request_new_watches(self) -> None:
        """Request a sweep after which directories that may have been replaced are watched."""
        self._has_replaced_dirs = True
        self._request_sweep()

    def _request_sweep(self) -> None:
        self._sweep_at = min(self._sweep_at, self._rested_at)

    async def _wait_for_hints(self, stream: ChangeStream) -> set[PathChange]:
        due_times = [s.next_due for s in self._snapshots.values()]
        due_times += [self._missing_dirs.next_due, self._staleness.next_poll()]
        deadlines = [self._sweep_at, self._check_unreadable_at]
        deadlines += [due for due in due_times if due is not None]
        timeout = max(0.0, min(deadlines) - asyncio.get_running_loop().time())
        if self._watched_dirs is None:
            await asyncio.sleep(timeout)
            return set()
        try:
            hints, overflowed = await stream.wait(timeout)
        except WatchFailedError as error:
            self._on_watch_failed(error)
            return set()
        if overflowed:
            self._request_sweep()
        return hints

    async def _follow(self, hints: set[PathChange], emit: Emit) -> None:
        """Look at the paths of hints that can matter to a trigger."""
        added = {path for kind, path in hints if kind is Change.added}
        changes: list[tuple[str, FileChange]] = []
        results = await self._stat(self._hinted_paths(hints))
        for snapshot in self._snapshots.values():
            if results and snapshot.uses_gitignore:
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._executor, snapshot.preload_rules, results)
        for result in results:
            for name, snapshot in self._snapshots.items():
                if not snapshot.is_watched(result.path):
                    continue
                was_added = result.path in added
                if result.is_dir and was_added and result.path not in snapshot.directories:
                    self._request_sweep()
                if change := self._look_at(name, result):
                    changes.append((name, change))
        await self._report(changes, emit)

    def _hinted_paths(self, hints: set[PathChange]) -> set[str]:
        """Return the paths to look at, and request what else the hints make necessary."""
        paths = set()
        for kind, path in hints:
            is_modified = kind is Change.modified
            if not is_modified and self._chains.paths_through(path):
                self._request_new_watches()
            for snapshot in self._snapshots.values():
                if not is_modified and path in snapshot.directories:
                    self._request_new_watches()
                if snapshot.is_watched(path) and (not is_modified or snapshot.needs_modifications):
                    paths.add(path)
                if snapshot.uses_gitignore and path.endswith(f"/{IGNORE_FILE}"):
                    self._request_sweep()
        return paths

    def _look_at(self, name: str, result: StatResult) -> FileChange | None:
        """Return the change of a path for a trigger; with `settle` it is due later."""
        snapshot, now = self._snapshots[name], asyncio.get_running_loop().time()
        if not snapshot.matches(result.path, result.state):
            return None
        if snapshot.is_changed(result.path, result.state):
            self._staleness.record_activity(name, now)
        change = snapshot.look_at(result.path, result.state, now)
        return None if snapshot.settle else change

    async def _report_settled(self, emit: Emit) -> None:
        """Look once more at paths that were unchanged for `settle`."""
        loop = asyncio.get_running_loop()
        for name, snapshot in self._snapshots.items():
            if not (due := snapshot.due(loop.time())):
                continue
            being_written = await loop.run_in_executor(self._executor, open_paths, due)
            for path in being_written:
                snapshot.postpone(path, loop.time())
            results = await self._stat([path for path in due if path not in being_written])
            looked_at = being_written.union(result.path for result in results)
            snapshot.discard(set(due) - looked_at)
            now = loop.time()
            found = (snapshot.look_at(result.path, result.state, now) for result in results)
            await self._report(((name, change) for change in found if change), emit)

    async def _stat(self, paths: Iterable[str]) -> list[StatResult]:
        if not paths:
            return []
        return await asyncio.get_running_loop().run_in_executor(self._executor, stat_paths, paths)

    async def _report_stale(self, emit: Emit) -> None:
        """Report the triggers for which nothing has changed for `stale`, and those that changed."""
        now = asyncio.get_running_loop().time()
        self._staleness.begin_poll(now)
        if events := self._staleness.evaluate((), now, self._wall(), has_more=False):
            await emit(SourceBatch(tuple(events), {}))

    async def _store_initial(self, name: str, changes: Iterable[FileChange], emit: Emit) -> None:
        """Arm a trigger: store the existing files as known, without events."""
        await self._learn(name, changes, emit)
        terms = self._snapshots[name].terms.encode()
        await emit(SourceBatch((), {terms_key(name): terms}))
        self._registry.armed.add(name)

    async def _learn(self, name: str, changes: Iterable[FileChange], emit: Emit) -> None:
        """Store changes without events."""
        for batch in batched(changes, KEYS_PER_BATCH):
            await self._commit(emit, (), checkpoint_updates(name, batch))
            for change in batch:
                self._snapshots[name].apply(change)

    async def _report(self, changes: Iterable[tuple[str, FileChange]], emit: Emit) -> None:
        for batch in batched(changes, EVENTS_PER_BATCH):
            events: list[Event] = []
            stored: dict[str, str | None] = {}
            for name, change in batch:
                is_wanted = change.kind in self._snapshots[name].events
                if is_wanted:
                    events.append(self._event(name, change))
                # An unwanted modification is not worth a write: it is found again after a restart.
                if is_wanted or change.kind != "modified":
                    stored.update(checkpoint_updates(name, [change]))
            if stored:
                await self._commit(emit, tuple(events), stored)
            for name, change in batch:
                self._snapshots[name].apply(change)

    async def _commit(
        self, emit: Emit, events: tuple[Event, ...], stored: Mapping[str, str | None]
    ) -> None:
        await emit(SourceBatch(events, stored))
        self._registry.obsolete_keys -= stored.keys()

    def _event(self, name: str, change: FileChange) -> Event:
        path = show_escaped_bytes(change.path)
        line = f"{change.kind} {path}"
        return Event(name, self._wall(), line, path, facts={"event": change.kind})
