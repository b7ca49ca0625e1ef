"""The log source: lines written to files, matched on the scanning thread, woken by the kernel."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from functools import partial

from notifyd.model.events import SourceBatch
from notifyd.model.health import Problem, SourceHealth
from notifyd.sources.base import Emit
from notifyd.sources.logs.discovery.inotify import FsHints, InotifyWatcher
from notifyd.sources.logs.options import LogSourceOptions
from notifyd.sources.logs.tailer import LogBatch, Tailer
from notifyd.sources.work import done

_POLL = 1.0


class LogSource:
    """All log triggers. executor: one thread, on which files are read and lines matched.

    sweep: seconds between two looks at everything, for what the kernel did not tell.
    watch: makes what hears the kernel.
    """

    name = "log"

    def __init__(
        self,
        brief: LogSourceOptions,
        positions: Mapping[str, str],
        *,
        executor: Executor,
        sweep: float = 300.0,
        watch: Callable[[], InotifyWatcher] = InotifyWatcher,
    ) -> None:
        self._follower = partial(Tailer, brief, positions)
        self._executor, self._sweep, self._watch = executor, sweep, watch
        self._health = SourceHealth(self.name, 0)

    def health(self) -> SourceHealth:
        return self._health

    async def run(self, emit: Emit) -> None:
        """Follow until cancelled. A first reading, maybe empty, says that all is watched."""
        loop = asyncio.get_running_loop()
        follower = await done(self._executor, self._follower)
        try:
            with self._watch() as watch:
                hints, sweep_at, begun = FsHints(all=True), 0.0, False
                while True:
                    now = loop.time()
                    hints.all = hints.all or now >= sweep_at
                    turn = partial(_turn, follower, watch, hints, now)
                    batch, hints = await done(self._executor, turn)
                    if batch.scanned_all:
                        every = _POLL if watch.problem or batch.polling_reason else self._sweep
                        sweep_at = now + every
                    before, self._health = self._health, self._told(batch, watch)
                    news = not begun or self._health.changed_key != before.changed_key
                    if batch.events or batch.checkpoints or news:
                        begun = True
                        await emit(SourceBatch(batch.events, batch.checkpoints, rereadable=True))
                    if not (batch.more or hints):
                        wake = sweep_at if batch.wake_at is None else min(batch.wake_at, sweep_at)
                        await watch.wait(max(0.0, wake - loop.time()))
        finally:
            follower.close()

    def _told(self, batch: LogBatch, watch: InotifyWatcher) -> SourceHealth:
        problems = batch.problems
        if watch.problem:
            problems += (Problem("inotify", watch.problem),)
        elif batch.polling_reason:
            kind = f"some logs are on {batch.polling_reason}, which does not tell of changes"
            problems += (Problem("mount", f"{kind}: logs are looked at every second"),)
        return SourceHealth(
            self.name,
            batch.open_readers,
            problems,
            timed_out=batch.timed_out,
            missing_paths=batch.missing_paths,
        )


def _turn(
    follower: Tailer, watch: InotifyWatcher, hints: FsHints, now: float
) -> tuple[LogBatch, FsHints]:
    """Follow old hints and new ones; returns where to look once more, since it is watched now."""
    hints |= watch.take()
    batch = follower.poll(hints, now)
    fresh: set[str] = set()
    if batch.watch_dirs is not None:
        fresh = watch.cover(*batch.watch_dirs, again=batch.scanned_all)
    return batch, FsHints(folders=fresh)
