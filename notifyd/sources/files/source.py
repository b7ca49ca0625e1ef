"""Files that come, change and go."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from math import inf
from pathlib import Path

from watchfiles import Change as Heard

from notifyd.config.triggers import FileTriggerConfig
from notifyd.model.events import Event, SourceBatch
from notifyd.model.health import Problem, SourceHealth
from notifyd.sources.base import Emit
from notifyd.sources.batches import batched
from notifyd.sources.files.change_stream import ChangeStream, PathChange, WatchFailedError
from notifyd.sources.files.snapshot import FileChange, Snapshot, record
from notifyd.sources.files.stat_sweep import StatResult, looks, printable
from notifyd.sources.stored_values import CheckpointValueError, RefusedValues, StoredFields
from notifyd.sources.unreadable_dirs import why_closed

EVENTS_AT_ONCE = 500
POSITIONS_AT_ONCE = 5000
SWEEP_EVERY = 300.0
POLL_EVERY = 2.0
LOOK_AGAIN = 10.0
"""Seconds after which closed directories are looked at again, for nobody tells when they open."""
REST = 9
"""A sweep is followed by so many times its own duration without one."""
GAP = 30.0
"""Seconds that the clocks may drift apart before a suspend or a paused machine is suspected."""


class FileSource:
    """Watches files for all file triggers.

    positions: `file:<trigger>` remembers the terms under which a trigger was armed,
    `file:<trigger>:<path>` a known file. debounce: what a trigger without one waits, in seconds;
    the shortest of all decides how often the kernel's queue is looked at. never: directories that
    are no source whatever a pattern says. executor: where walks and looks may block.

    A file that came and went between two looks counts if the kernel told of it and the trigger
    has no `settle`; if the hint was lost, it is missed.
    """

    name = "file"

    def __init__(
        self,
        triggers: Mapping[str, FileTriggerConfig],
        positions: Mapping[str, str],
        *,
        wall: Callable[[], float],
        never: tuple[Path, ...] = (),
        executor: Executor | None = None,
        debounce: float = 2.0,
    ) -> None:
        self._wall = wall
        self._executor = executor
        waits = [debounce if t.debounce is None else t.debounce for t in triggers.values()]
        self._step = min(max(min(waits, default=debounce) / 16, 0.01), 1.0)
        self._snapshots = {name: Snapshot(t, never) for name, t in triggers.items()}
        self._armed: set[str] = set()
        self._strangers: set[str] = set()
        self._refused = RefusedValues(self.name)
        self._load(positions)
        self._folders: set[str] | None = None
        self._arm_at = self._sweep_at = self._rested_at = 0.0
        self._deaf = ""
        self._closed: dict[str, str] = {}
        self._again_at = inf

    def health(self) -> SourceHealth:
        problems = [Problem("inotify", self._deaf)] if self._deaf else []
        problems += [Problem("folder", printable(said)) for said in sorted(self._closed.values())]
        known = sum(len(snapshot.known) for snapshot in self._snapshots.values())
        return SourceHealth(self.name, known, (*problems, *self._refused.problems))

    async def run(self, emit: Emit) -> None:
        loop = asyncio.get_running_loop()
        # Times of an earlier run may be those of another loop.
        self._folders, self._arm_at, self._sweep_at, self._rested_at = None, 0.0, 0.0, 0.0
        mono, wall = loop.time(), self._wall()
        async with ChangeStream(self._step) as hints:
            await self._sweep(hints, emit)
            await emit(SourceBatch((), {}))
            for some in batched(self._strangers, POSITIONS_AT_ONCE):
                await emit(SourceBatch((), dict.fromkeys(some)))
            self._strangers.clear()
            self._refused.log()
            told = self.health().problems
            while True:
                if loop.time() >= self._again_at:
                    await self._look_again()
                if loop.time() >= self._sweep_at:
                    await self._sweep(hints, emit)
                if told != (told := self.health().problems):
                    await emit(SourceBatch((), {}))
                heard = await self._listen(hints)
                before, (mono, wall) = wall - mono, (loop.time(), self._wall())
                if wall - mono > before + GAP:
                    self._ask_for_sweep()
                await self._follow(heard, emit)
                await self._settle(emit)

    def _load(self, positions: Mapping[str, str]) -> None:
        for key, value in positions.items():
            _, name, *path = key.split(":", 2)
            snapshot = self._snapshots.get(name)
            if snapshot is None:
                self._strangers.add(key)
            elif path:
                self._load_file(key, name, path[0], value)
            elif value == snapshot.terms:
                self._armed.add(name)
            else:
                self._check_terms(key, name, value)

    def _load_file(self, key: str, name: str, path: str, value: str) -> None:
        try:
            self._snapshots[name].load(path, value)
        except CheckpointValueError as error:
            self._strangers.add(key)
            what = f"state of {path} for trigger {name}"
            self._refused.add(key, what, error, "if the file exists, it counts as created")

    def _check_terms(self, key: str, name: str, value: str) -> None:
        """Refuse terms that are damaged rather than those of another configuration."""
        try:
            StoredFields.decode(value)
        except CheckpointValueError as error:
            what = f"paths of trigger {name}"
            consequence = "changes that happened while notifyd was stopped are not reported"
            self._refused.add(key, what, error, consequence)

    async def _sweep(self, hints: ChangeStream, emit: Emit) -> None:
        """Compare everything with what is known, and listen where something may come."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        folders: set[str] = set()
        closed: dict[str, str] = {}
        for name, snapshot in self._snapshots.items():
            survey = await loop.run_in_executor(self._executor, snapshot.survey)
            snapshot.folders = survey.folders
            folders |= survey.folders
            closed |= survey.closed
            if name in self._armed:
                now = loop.time()
                seen = (snapshot.observe(path, mark, now) for path, mark in survey.differences)
                await self._tell(((name, change) for change in seen if change), emit)
            else:
                await self._adopt(name, survey.changes(snapshot), emit)
        now, self._closed = loop.time(), closed
        self._again_at = now + LOOK_AGAIN if closed else inf
        self._rested_at = now + REST * (now - started)
        if folders != self._folders and now >= self._arm_at:
            await self._arm(hints, folders)
        else:
            pause = POLL_EVERY if self._folders is None else SWEEP_EVERY
            self._sweep_at = max(now + pause, self._rested_at)

    async def _arm(self, hints: ChangeStream, folders: set[str]) -> None:
        try:
            await hints.arm(folders)
        except WatchFailedError as error:
            self._lost(error)
        else:
            self._deaf, self._folders = "", folders
            # What came between the walk and now was not heard.
            self._sweep_at = self._rested_at

    def _lost(self, error: WatchFailedError) -> None:
        now = asyncio.get_running_loop().time()
        self._folders = None
        self._deaf = "" if error.known else str(error)
        self._arm_at = now + error.again
        self._sweep_at = max(now + min(POLL_EVERY, error.again), self._rested_at)

    async def _look_again(self) -> None:
        """Ask for a sweep where closed directories are not so, or otherwise so, by now."""
        loop = asyncio.get_running_loop()
        closed = list(self._closed)
        found = await loop.run_in_executor(self._executor, lambda: list(map(why_closed, closed)))
        self._again_at = loop.time() + LOOK_AGAIN * max(1.0, len(closed) / 1000)
        if found != list(self._closed.values()):
            self._ask_for_sweep()

    def _ask_for_sweep(self) -> None:
        self._sweep_at = min(self._sweep_at, self._rested_at)

    async def _listen(self, hints: ChangeStream) -> set[PathChange]:
        deadlines = [self._sweep_at, self._again_at]
        deadlines += [s.deadline for s in self._snapshots.values() if s.deadline is not None]
        pause = max(0.0, min(deadlines) - asyncio.get_running_loop().time())
        if self._folders is None:
            await asyncio.sleep(pause)
            return set()
        try:
            heard, flood = await hints.wait(pause)
        except WatchFailedError as error:
            self._lost(error)
            return set()
        if flood:
            self._ask_for_sweep()
        return heard

    async def _follow(self, heard: set[PathChange], emit: Emit) -> None:
        """Look at the paths that were heard of, where that can matter to a trigger."""
        added = {path for change, path in heard if change is Heard.added}
        paths = set()
        for change, path in heard:
            for snapshot in self._snapshots.values():
                if change is not Heard.modified and path in snapshot.folders:
                    self._ask_for_sweep()
                if snapshot.hears(path) and (change is not Heard.modified or snapshot.compares):
                    paths.add(path)
        changes: list[tuple[str, FileChange]] = []
        for seen in await self._look(paths):
            for name, snapshot in self._snapshots.items():
                if not snapshot.hears(seen.path):
                    continue
                if seen.folder and seen.path in added and seen.path not in snapshot.folders:
                    self._ask_for_sweep()
                if snapshot.matches(seen.path):
                    meant = self._meaning(snapshot, seen, came=seen.path in added)
                    changes += [(name, change) for change in meant]
        await self._tell(changes, emit)

    async def _settle(self, emit: Emit) -> None:
        """Look once more at what was unchanged for long enough."""
        for name, snapshot in self._snapshots.items():
            due = snapshot.due(asyncio.get_running_loop().time())
            seen = await self._look(due)
            snapshot.put_off(set(due) - {each.path for each in seen})
            now = asyncio.get_running_loop().time()
            changes = (snapshot.observe(each.path, each.mark, now) for each in seen)
            await self._tell(((name, change) for change in changes if change), emit)

    async def _look(self, paths: Iterable[str]) -> list[StatResult]:
        if not paths:
            return []
        return await asyncio.get_running_loop().run_in_executor(self._executor, looks, paths)

    def _meaning(self, snapshot: Snapshot, seen: StatResult, *, came: bool) -> list[FileChange]:
        gone = seen.mark is None and seen.path not in snapshot.known
        if came and gone and not snapshot.settle:
            return [FileChange("created", seen.path, None), FileChange("deleted", seen.path, None)]
        change = snapshot.observe(seen.path, seen.mark, asyncio.get_running_loop().time())
        return [] if change is None else [change]

    async def _adopt(self, name: str, changes: Iterable[FileChange], emit: Emit) -> None:
        """Take what is there as known, without an event: the trigger is armed only now."""
        snapshot = self._snapshots[name]
        for some in batched(changes, POSITIONS_AT_ONCE):
            await self._store(emit, (), record(name, some))
            for change in some:
                snapshot.adopt(change)
        await emit(SourceBatch((), {f"file:{name}": snapshot.terms}))
        self._armed.add(name)

    async def _tell(self, changes: Iterable[tuple[str, FileChange]], emit: Emit) -> None:
        for some in batched(changes, EVENTS_AT_ONCE):
            events: list[Event] = []
            remembered: dict[str, str | None] = {}
            for name, change in some:
                wanted = change.kind in self._snapshots[name].events
                if wanted:
                    events.append(self._event(name, change))
                # What nobody asked to hear of is not worth a write: it is compared again later.
                if wanted or change.kind != "modified":
                    remembered.update(record(name, [change]))
            if remembered:
                await self._store(emit, tuple(events), remembered)
            for name, change in some:
                self._snapshots[name].adopt(change)

    async def _store(
        self, emit: Emit, events: tuple[Event, ...], positions: Mapping[str, str | None]
    ) -> None:
        await emit(SourceBatch(events, positions))
        self._strangers -= positions.keys()

    def _event(self, name: str, change: FileChange) -> Event:
        path = printable(change.path)
        return Event(
            name, self._wall(), f"{change.kind} {path}", path, facts={"event": change.kind}
        )
