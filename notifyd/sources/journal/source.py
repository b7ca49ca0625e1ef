"""The journal source: one `journalctl` for all triggers, and one for each that has to catch up."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from notifyd.config.triggers import LogTriggerConfig
from notifyd.model.errors import NotifydError, SourceError
from notifyd.model.events import SourceBatch
from notifyd.model.health import Problem, SourceHealth
from notifyd.sources.base import Emit
from notifyd.sources.journal import access
from notifyd.sources.journal.identity import OwnUnit, own
from notifyd.sources.journal.journal_dirs import JournalDirs
from notifyd.sources.journal.query import JournalQuery
from notifyd.sources.journal.registry import JournalRegistry
from notifyd.sources.journal.start_position import StartPosition
from notifyd.sources.journal.tail_cursor import end_beyond
from notifyd.sources.journal.tailer import JournalTailer
from notifyd.sources.readable import readable
from notifyd.sources.records.record_matchers import timed_out_problems
from notifyd.sources.records.scanning import RecordMatcherFor, ScannerFor, ScannerLike
from notifyd.sources.work import done

log = structlog.get_logger()

_LOOK: Final = 30.0
"""Seconds between two looks at the directories, and between two tries while nothing can be read."""
_REST: Final = 3600.0
"""Seconds without an entry until a place goes to the journal's end; sooner when that rotates."""
_STALL: Final = 60.0
"""Seconds that a commit may take before journalctl is ended: it keeps deleted files on the disk."""


class JournalSource:
    """All log triggers with `journal`. executor: one thread, on which entries are matched.

    command: how journalctl is called. roots: where journals lie. look, rest, stall: in seconds.
    """

    name = "journal"

    def __init__(
        self,
        triggers: Mapping[str, LogTriggerConfig],
        positions: Mapping[str, str],
        *,
        scanner_for: ScannerFor,
        record_matcher_for: RecordMatcherFor,
        wall: Callable[[], float],
        executor: Executor,
        command: Sequence[str] = (access.COMMAND,),
        roots: tuple[Path, ...] = access.ROOTS,
        identity: OwnUnit | None = None,
        look: float = _LOOK,
        rest: float = _REST,
        stall: float = _STALL,
    ) -> None:
        self._triggers, self._positions = triggers, positions
        self._scanner_for, self._record_matcher_for, self._wall = (
            scanner_for,
            record_matcher_for,
            wall,
        )
        self._executor, self._command, self._roots = executor, command, roots
        self._identity, self._look = identity or own(), look
        self._rest, self._stall = rest, stall
        self._ledger = JournalRegistry(triggers, positions)
        self._inquiry = JournalQuery(command)
        self._opening = StartPosition(
            triggers, self._ledger, self._inquiry, identity=self._identity, roots=roots, wall=wall
        )
        self._scanners: dict[tuple[str, ...], ScannerLike] = {}
        self._followers: list[JournalTailer] = []

    def health(self) -> SourceHealth:
        counts: Counter[str] = Counter()
        for follower in self._followers:
            counts.update(follower.timed_out)
        for scanner in list(self._scanners.values()):
            counts.update(scanner.timed_out)
        dead = bool(self._opening.dead)
        units = {unit for trigger in self._triggers.values() for unit in trigger.journal}
        losses = self._ledger.losses
        return SourceHealth(
            self.name,
            0 if dead else len(units),
            (
                *self._opening.problems,
                *losses.problems(self._wall()),
                *timed_out_problems(counts),
                *self._ledger.refused.problems,
            ),
            dead=dead,
            timed_out=counts,
            dropped=losses.counts(),
        )

    async def run(self, emit: Emit) -> None:
        """Follow until cancelled; SourceError when journalctl ends, to go on from the positions."""
        told: tuple[Problem, ...] | None = None
        while not await self._opened():
            if told != (told := self.health().problems):
                await emit(SourceBatch((), {}, rereadable=True))
            await asyncio.sleep(self._look)
        await emit(SourceBatch((), self._ledger.take(), rereadable=True))
        if self._opening.gap:  # it is committed that it was told
            log.warning(self._opening.gap, source=self.name)
        self._ledger.refused.log()
        try:
            async with asyncio.TaskGroup() as group:
                for lane in ("", *self._ledger.lanes):
                    group.create_task(self._follow(lane, emit), name=f"journal {lane}")
        except* NotifydError as errors:
            raise errors.exceptions[0] from None

    async def _opened(self) -> bool:
        """Look where to begin, on a thread of its own: a large journal takes seconds to open."""
        return await done(None, self._opening.ready, hurry=self._inquiry.abandon)

    def _follower(self, lane: str) -> JournalTailer:
        name = self._ledger.lanes[lane].trigger if lane else None
        return JournalTailer(
            self._triggers if name is None else {name: self._triggers[name]},
            self._positions,
            self._ledger,
            lane,
            command=self._command,
            identity=self._identity,
            scanner_for=self._scanner,
            record_matcher_for=self._record_matcher_for,
            wall=self._wall,
        )

    def _scanner(self, triggers: tuple[str, ...]) -> ScannerLike:
        if triggers not in self._scanners:
            self._scanners[triggers] = self._scanner_for(triggers)
        return self._scanners[triggers]

    async def _follow(self, lane: str, emit: Emit) -> None:
        loop = asyncio.get_running_loop()
        follower = self._follower(lane)
        self._followers.append(follower)
        folders = JournalDirs(self._roots, self._look, loop.time())
        try:
            while True:
                before = self.health().problems
                batch = await done(self._executor, partial(follower.turn, loop.time()))
                if batch.events or batch.positions or self.health().problems != before:
                    reading = SourceBatch(batch.events, batch.positions, rereadable=True)
                    await self._committed(follower, emit(reading))
                    for news in self._ledger.losses.news():
                        log.warning(news, source=self.name)
                    self._ledger.refused.log()
                if batch.over is not None:
                    if batch.over or not lane:
                        raise SourceError(batch.over or "journalctl ended by itself")
                    return
                if batch.more:
                    if loop.time() >= folders.at:
                        folders.changed(loop.time())
                else:
                    await self._wait(follower, folders, batch.wake)
        finally:
            self._followers.remove(follower)
            follower.close()

    async def _wait(
        self, follower: JournalTailer, folders: JournalDirs, wake: float | None
    ) -> None:
        """Wait until there is something to do; looks at the folders meanwhile."""
        loop = asyncio.get_running_loop()
        while wake is None or loop.time() < wake:
            until = folders.at if wake is None else min(wake, folders.at)
            if await readable(follower.descriptor, max(0.0, until - loop.time())):
                return
            if loop.time() >= folders.at:
                rest = 0.0 if folders.changed(loop.time()) else self._rest
                if await self._kept_up(follower, rest):
                    return

    async def _kept_up(self, follower: JournalTailer, rest: float) -> bool:
        """Have a place that stands still go to the journal's end; says whether it goes.

        What comes waits meanwhile, which is short, and rare.
        """
        place = follower.resting(asyncio.get_running_loop().time(), rest)
        if place is None:
            return False
        beyond = partial(end_beyond, self._inquiry, place, follower.wanted)
        with suppress(SourceError):  # it is asked again, and only the place grows older
            end = await done(None, beyond, hurry=self._inquiry.abandon)
            if end is not None:
                follower.advance(end)
                return True
        return False

    async def _committed(self, follower: JournalTailer, commit: Awaitable[None]) -> None:
        """Wait for a commit; while it cannot be made, nothing is read and at last nothing held."""
        impatience = asyncio.get_running_loop().call_later(self._stall, follower.give_up)
        try:
            await commit
        finally:
            impatience.cancel()
