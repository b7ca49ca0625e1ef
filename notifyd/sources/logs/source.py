"""The log source: lines of files, matched on the scanning thread, woken by the kernel."""

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
from notifyd.sources.waiting import run_to_completion

_POLL_INTERVAL = 1.0
"""Seconds between two scans where the kernel does not report all changes."""


class LogSource:
    """All log triggers.

    stored: the stored values of all files. executor: one thread, on which files are read and lines
    are matched. scan_interval: seconds between two scans of all paths, for changes that the kernel
    did not report. make_watcher: makes what listens to the kernel.
    """

    name = "log"

    def __init__(
        self,
        options: LogSourceOptions,
        stored: Mapping[str, str],
        *,
        executor: Executor,
        scan_interval: float = 300.0,
        make_watcher: Callable[[], InotifyWatcher] = InotifyWatcher,
    ) -> None:
        self._make_tailer = partial(Tailer, options, stored)
        self._executor = executor
        self._scan_interval, self._make_watcher = scan_interval, make_watcher
        self._health = SourceHealth(self.name, 0)

    def health(self) -> SourceHealth:
        return self._health

    async def run(self, emit: Emit) -> None:
        """Follow until cancelled. The first batch, which may be empty, follows the first scan."""
        loop = asyncio.get_running_loop()
        tailer = await run_to_completion(self._executor, self._make_tailer)
        try:
            with self._make_watcher() as watcher:
                hints, scan_at, has_emitted = FsHints(all=True), 0.0, False
                while True:
                    now = loop.time()
                    hints.all = hints.all or now >= scan_at
                    poll = partial(_poll, tailer, watcher, hints, now)
                    batch, hints = await run_to_completion(self._executor, poll)
                    if batch.scanned_all:
                        is_polling = watcher.problem or batch.polling_reason
                        scan_at = now + (_POLL_INTERVAL if is_polling else self._scan_interval)
                    has_news = self._update_health(batch, watcher) or not has_emitted
                    if batch.events or batch.checkpoints or has_news:
                        has_emitted = True
                        await emit(SourceBatch(batch.events, batch.checkpoints, rereadable=True))
                        tailer.refused.log()
                    if not (batch.more or hints):
                        wake_at = scan_at if batch.wake_at is None else min(batch.wake_at, scan_at)
                        await watcher.wait(max(0.0, wake_at - loop.time()))
        finally:
            tailer.close()

    def _update_health(self, batch: LogBatch, watcher: InotifyWatcher) -> bool:
        """Return whether the health differs in what is logged of it."""
        problems = batch.problems
        if watcher.problem:
            problems += (Problem("inotify", watcher.problem),)
        elif batch.polling_reason:
            message = f"some logs are on {batch.polling_reason}, where not all changes are reported"
            problems += (Problem("mount", f"{message}: all logs are checked every second"),)
        before = self._health
        self._health = SourceHealth(
            self.name,
            batch.watched_files,
            problems,
            timed_out=batch.timed_out,
            cut_lines=batch.cut_lines,
            unfinished_bytes=batch.unfinished_bytes,
            missing_paths=batch.missing_paths,
        )
        return self._health.changed_key != before.changed_key


def _poll(
    tailer: Tailer, watcher: InotifyWatcher, hints: FsHints, now: float
) -> tuple[LogBatch, FsHints]:
    """Poll with earlier and new hints.

    Returns hints for directories that are watched only now, where changes may have been missed.
    """
    hints |= watcher.read_hints()
    batch = tailer.poll(hints, now)
    newly_watched: set[str] = set()
    if batch.watches is not None:
        newly_watched = watcher.set_watched(batch.watches)
    return batch, FsHints(directories=newly_watched)
