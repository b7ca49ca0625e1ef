"""The journal source: one main reader for all triggers, and one for each that catches up."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import replace
from functools import partial

import structlog

from notifyd.model.errors import SourceError
from notifyd.model.events import SourceBatch
from notifyd.model.health import Problem, SourceHealth
from notifyd.sources.base import Emit
from notifyd.sources.journal.access import JournalDirs
from notifyd.sources.journal.options import JournalSourceOptions
from notifyd.sources.journal.query import JournalQuery
from notifyd.sources.journal.registry import MAIN_READER, JournalRegistry
from notifyd.sources.journal.start_position import StartPosition
from notifyd.sources.journal.tailer import JournalTailer
from notifyd.sources.records.record_matchers import timed_out_problems
from notifyd.sources.records.scanning import ScannerLike
from notifyd.sources.waiting import run_to_completion, wait_readable

log = structlog.get_logger()


class JournalSource:
    """All log triggers with `journal`. executor: one thread, on which entries are matched."""

    name = "journal"

    def __init__(
        self,
        options: JournalSourceOptions,
        checkpoints: Mapping[str, str],
        *,
        executor: Executor,
    ) -> None:
        self._options = replace(options, scanner_for=self._scanner)
        self._make_scanner = options.scanner_for
        self._positions, self._executor = checkpoints, executor
        self._registry = JournalRegistry(options.triggers, checkpoints)
        self._query = JournalQuery(options.command)
        self._start_position = StartPosition(options, self._registry, self._query)
        self._scanners: dict[tuple[str, ...], ScannerLike] = {}
        self._tailers: list[JournalTailer] = []

    def health(self) -> SourceHealth:
        timed_out: Counter[str] = Counter()
        for tailer in self._tailers:
            timed_out.update(tailer.timed_out)
        for scanner in list(self._scanners.values()):
            timed_out.update(scanner.timed_out)
        dead = bool(self._start_position.failure)
        units = {unit for trigger in self._options.triggers.values() for unit in trigger.journal}
        dropped = self._registry.dropped
        return SourceHealth(
            self.name,
            0 if dead else len(units),
            (
                *self._start_position.problems,
                *dropped.problems(self._options.wall()),
                *timed_out_problems(timed_out),
                *self._registry.refused.problems,
            ),
            dead=dead,
            timed_out=timed_out,
            dropped=dropped.counts(),
        )

    async def run(self, emit: Emit) -> None:
        """Read until cancelled; SourceError when journalctl ends, to continue at the cursors."""
        problems: tuple[Problem, ...] | None = None
        while not await self._find_start():
            if problems != (problems := self.health().problems):
                await emit(SourceBatch((), {}, rereadable=True))
            await asyncio.sleep(self._options.check_interval)
        await emit(SourceBatch((), self._registry.take_changes(), rereadable=True))
        if gap := self._start_position.gap:  # after the commit, so that it is not repeated
            log.warning(gap, source=self.name)
        self._registry.refused.log()
        try:
            async with asyncio.TaskGroup() as group:
                for key in (MAIN_READER, *self._registry.catch_ups):
                    group.create_task(self._run_reader(key, emit), name=f"journal {key}")
        except ExceptionGroup as failed:  # Python 3.11.2 wraps what an `except*` raises
            raise failed.exceptions[0] from None

    async def _find_start(self) -> bool:
        """Find where to start, on a thread of its own: opening a large journal takes seconds."""
        return await run_to_completion(
            None, self._start_position.find, on_cancel=self._query.cancel
        )

    def _scanner(self, triggers: tuple[str, ...]) -> ScannerLike:
        if triggers not in self._scanners:
            self._scanners[triggers] = self._make_scanner(triggers)
        return self._scanners[triggers]

    async def _run_reader(self, key: str, emit: Emit) -> None:
        loop = asyncio.get_running_loop()
        tailer = JournalTailer(self._options, self._positions, self._registry, key)
        self._tailers.append(tailer)
        dirs = JournalDirs(self._options.roots, self._options.check_interval, loop.time())
        try:
            while True:
                problems = self.health().problems
                batch = await run_to_completion(self._executor, partial(tailer.poll, loop.time()))
                if batch.events or batch.checkpoints or self.health().problems != problems:
                    commit = emit(SourceBatch(batch.events, batch.checkpoints, rereadable=True))
                    await self._commit(tailer, commit)
                    for message in self._registry.dropped.take_messages():
                        log.warning(message, source=self.name)
                    self._registry.refused.log()
                if batch.end_reason is not None:
                    if batch.end_reason or key == MAIN_READER:
                        raise SourceError(batch.end_reason or "journalctl exited unexpectedly")
                    return
                if batch.more:
                    if loop.time() >= dirs.check_at:
                        dirs.check(loop.time())
                else:
                    await self._wait(tailer, dirs, batch.wake_at)
        finally:
            self._tailers.remove(tailer)
            tailer.close()

    async def _wait(self, tailer: JournalTailer, dirs: JournalDirs, wake_at: float | None) -> None:
        """Wait until the tailer has something to do; checks the directories meanwhile."""
        loop = asyncio.get_running_loop()
        while wake_at is None or loop.time() < wake_at:
            until = dirs.check_at if wake_at is None else min(wake_at, dirs.check_at)
            if await wait_readable(tailer.descriptor, max(0.0, until - loop.time())):
                return
            if loop.time() >= dirs.check_at:
                were_rotated = dirs.check(loop.time())
                min_idle = 0.0 if were_rotated else self._options.idle_advance
                if await self._advance_idle(tailer, min_idle):
                    return

    async def _advance_idle(self, tailer: JournalTailer, min_idle: float) -> bool:
        """Advance an idle cursor to the journal's end; returns whether it moves.

        Otherwise the cursor of a reader without entries would be older than the journal keeps.
        Entries that arrive wait meanwhile, which is short, and rare.
        """
        cursor = tailer.idle_cursor(asyncio.get_running_loop().time(), min_idle)
        if cursor is None:
            return False
        find_tail = partial(self._query.find_tail, cursor, tailer.matches)
        with suppress(SourceError):  # the next check asks again
            tail = await run_to_completion(None, find_tail, on_cancel=self._query.cancel)
            if tail is not None:
                tailer.advance_to(tail)
                return True
        return False

    async def _commit(self, tailer: JournalTailer, commit: Awaitable[None]) -> None:
        """Wait for a commit. Until it succeeds nothing is read; after a while journalctl ends."""
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._options.commit_timeout, tailer.abort)
        try:
            await commit
        finally:
            timer.cancel()
