"""The log source: lines written to files, matched on the scanning thread, woken by the kernel."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

from notifyd.config.triggers import LogTrigger
from notifyd.model import Health, Reading
from notifyd.sources import Emit
from notifyd.sources.follower import Batch, Follower, ScannerFor
from notifyd.sources.watch import Hints, Watch

_POLL = 1.0


class LogSource:
    """All log triggers. executor: one thread, on which files are read and lines matched.

    sweep: seconds between two looks at everything, for what the kernel did not tell.
    watch: makes what hears the kernel.
    """

    name = "log"

    def __init__(
        self,
        triggers: Mapping[str, LogTrigger],
        positions: Mapping[str, str],
        *,
        scanner_for: ScannerFor,
        wall: Callable[[], float],
        executor: Executor,
        never: tuple[Path, ...] = (),
        sweep: float = 300.0,
        watch: Callable[[], Watch] = Watch,
    ) -> None:
        self._follower = partial(
            Follower, triggers, positions, scanner_for=scanner_for, wall=wall, never=never
        )
        self._executor, self._sweep, self._watch = executor, sweep, watch
        self._health = Health(self.name, 0)

    def health(self) -> Health:
        return self._health

    async def run(self, emit: Emit) -> None:
        loop = asyncio.get_running_loop()
        follower = self._follower()
        try:
            with self._watch() as watch:
                hints, swept = Hints(all=True), loop.time()
                while True:
                    batch = await self._on_thread(partial(follower.turn, hints, loop.time()))
                    fresh: set[str] = set()
                    if batch.watched is not None:
                        fresh = watch.cover(*batch.watched, again=hints.all)
                    self._health = self._told(batch, watch)
                    if batch.events or batch.positions:
                        await emit(Reading(batch.events, batch.positions, rereadable=True))
                    every = _POLL if watch.problem or batch.polled else self._sweep
                    if not (batch.more or fresh):
                        wake = (
                            swept + every if batch.wake is None else min(batch.wake, swept + every)
                        )
                        await watch.wait(max(0.0, wake - loop.time()))
                    hints = watch.take()
                    hints.folders |= fresh
                    if loop.time() >= swept + every:
                        hints.all = True
                    if hints.all:
                        swept = loop.time()
        finally:
            follower.close()

    async def _on_thread(self, turn: Callable[[], Batch]) -> Batch:
        """Run a turn to its end, whatever happens: nobody else may use its files meanwhile."""
        running = asyncio.get_running_loop().run_in_executor(self._executor, turn)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait([running])
            raise

    def _told(self, batch: Batch, watch: Watch) -> Health:
        problems = batch.problems
        if watch.problem:
            problems += (watch.problem,)
        elif batch.polled:
            kind = f"some logs are on {batch.polled}, which does not tell of changes"
            problems += (f"{kind}: logs are looked at every second",)
        return Health(self.name, batch.watching, problems)
