"""The journal source: one `journalctl` for all triggers, and one for each that has to catch up."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import structlog

from notifyd.config.triggers import LogTrigger
from notifyd.errors import NotifydError, SourceError
from notifyd.model import Health, Reading
from notifyd.sources import Emit
from notifyd.sources.journal import access
from notifyd.sources.journal.child import COMMAND, first, last
from notifyd.sources.journal.cursor import Place
from notifyd.sources.journal.entry import Identity, Reader
from notifyd.sources.journal.export import Fields
from notifyd.sources.journal.fold import late
from notifyd.sources.journal.follower import Follower
from notifyd.sources.journal.identity import own
from notifyd.sources.journal.ledger import Ledger
from notifyd.sources.log.scanning import JudgeFor, ScannerFor, ScannerLike
from notifyd.sources.readable import readable

_LOOK: Final = 30.0
"""Seconds between two looks at the directories, and between two tries while nothing can be read."""
_STALL: Final = 60.0
"""Seconds that a commit may take before journalctl is ended: it keeps deleted files on the disk."""

T = TypeVar("T")
log = structlog.get_logger()


class JournalSource:
    """All log triggers with `journal`. executor: one thread, on which entries are matched.

    command: how journalctl is called. roots: where journals lie. stall: in seconds.
    """

    name = "journal"

    def __init__(
        self,
        triggers: Mapping[str, LogTrigger],
        positions: Mapping[str, str],
        *,
        scanner_for: ScannerFor,
        judge_for: JudgeFor,
        wall: Callable[[], float],
        executor: Executor,
        command: Sequence[str] = COMMAND,
        roots: tuple[Path, ...] = access.ROOTS,
        identity: Identity | None = None,
        stall: float = _STALL,
    ) -> None:
        self._triggers, self._positions = triggers, positions
        self._scanner_for, self._judge_for, self._wall = scanner_for, judge_for, wall
        self._executor, self._command, self._roots = executor, command, roots
        self._identity, self._stall = identity or own(), stall
        self._ledger = Ledger(triggers, positions)
        self._scanners: dict[tuple[str, ...], ScannerLike] = {}
        self._followers: list[Follower] = []
        self._gap = ""
        self._trouble = ""
        self._dead = ""

    def health(self) -> Health:
        counts: Counter[str] = Counter()
        for follower in self._followers:
            counts.update(follower.undecided)
        for scanner in list(self._scanners.values()):
            counts.update(scanner.undecided)
        problems = [self._dead, self._trouble, self._gap, *late(counts)]
        units = {unit for trigger in self._triggers.values() for unit in trigger.journal}
        watching = 0 if self._dead else len(units)
        return Health(self.name, watching, tuple(filter(None, problems)), dead=bool(self._dead))

    async def run(self, emit: Emit) -> None:
        """Follow until cancelled; SourceError when journalctl ends, to go on from the positions."""
        begun = False
        while not await self._on_thread(self._prepared):
            if not begun:
                begun = True
                await emit(Reading((), {}, rereadable=True))
            await asyncio.sleep(_LOOK)
        await emit(Reading((), self._ledger.take(), rereadable=True))
        try:
            async with asyncio.TaskGroup() as group:
                for lane in ("", *self._ledger.lanes):
                    group.create_task(self._follow(lane, emit), name=f"journal {lane}")
        except* NotifydError as errors:
            raise errors.exceptions[0] from None

    def _prepared(self) -> bool:
        """Find out where to begin; says whether the journal answers."""
        self._trouble = access.trouble(self._roots)
        try:
            tail = self._place(last(self._command)) or Place("", int(self._wall() * 1e6))
            if self._ledger.read is not None and self._ledger.read.cursor:
                self._check(self._ledger.read, tail)
        except SourceError as error:
            if self._dead != str(error):
                self._dead = str(error)
                log.warning("the journal is not watched", reason=self._dead)
            return False
        self._dead = ""
        self._ledger.arm(tail)
        return True

    def _check(self, stored: Place, tail: Place) -> None:
        """Say so if the entry that was read last is gone, and with it maybe others."""
        found = self._place(first(self._command, stored))
        here, before = found.parsed if found else None, stored.parsed
        if before is None or (here is not None and (here.same(before) or here.next_to(before))):
            return
        if here is None:  # neither it nor anything later: it was another journal
            self._ledger.skip(tail)
        self._gap = (
            f"the journal no longer has the entry that was read last, of {_moment(stored.stamp)}: "
            "what was logged since then and is gone as well was not seen"
        )
        log.warning(self._gap)

    def _place(self, fields: Fields | None) -> Place | None:
        entry = fields and Reader(self._identity).entry(fields)
        return entry.place if entry else None

    def _follower(self, lane: str) -> Follower:
        name = self._ledger.lanes[lane].trigger if lane else None
        return Follower(
            self._triggers if name is None else {name: self._triggers[name]},
            self._positions,
            self._ledger,
            lane,
            command=self._command,
            identity=self._identity,
            scanner_for=self._scanner,
            judge_for=self._judge_for,
            wall=self._wall,
        )

    def _scanner(self, triggers: tuple[str, ...]) -> ScannerLike:
        if triggers not in self._scanners:
            self._scanners[triggers] = self._scanner_for(triggers)
        return self._scanners[triggers]

    async def _follow(self, lane: str, emit: Emit) -> None:
        loop = asyncio.get_running_loop()
        follower = await self._on_thread(partial(self._follower, lane))
        self._followers.append(follower)
        folders, look_at = access.folders(self._roots), loop.time() + _LOOK
        try:
            while True:
                batch = await self._on_thread(partial(follower.turn, loop.time()))
                if batch.events or batch.positions:
                    reading = Reading(batch.events, batch.positions, rereadable=True)
                    await self._committed(follower, emit(reading))
                if batch.over is not None:
                    if batch.over or not lane:
                        raise SourceError(batch.over or "journalctl ended by itself")
                    return
                if loop.time() >= look_at:
                    look_at = loop.time() + _LOOK
                    if access.folders(self._roots) != folders:
                        raise SourceError("the journal moved")
                if not batch.more:
                    wake = look_at if batch.wake is None else min(batch.wake, look_at)
                    await readable(follower.child.descriptor, max(0.0, wake - loop.time()))
        finally:
            self._followers.remove(follower)
            follower.close()

    async def _committed(self, follower: Follower, commit: Awaitable[None]) -> None:
        """Wait for a commit; while it cannot be made, nothing is read and at last nothing held."""
        impatience = asyncio.get_running_loop().call_later(self._stall, follower.child.kill)
        try:
            await commit
        finally:
            impatience.cancel()

    async def _on_thread(self, work: Callable[[], T]) -> T:
        """Do a piece of work to its end, whatever happens: nobody may use its child meanwhile."""
        running = asyncio.get_running_loop().run_in_executor(self._executor, work)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait([running])
            running.exception()  # it matters to nobody any more
            raise


def _moment(stamp: int) -> str:
    moment = datetime.fromtimestamp(stamp / 1e6, tz=UTC).astimezone()
    return moment.strftime("%Y-%m-%d %H:%M:%S")
