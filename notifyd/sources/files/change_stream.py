"""Changes in directories as the kernel reports them, through watchfiles: hints where to look.

watchfiles drops events silently when the kernel's queue overflows, so nothing relies on hints
alone. Directories are watched one by one and not as trees: a tree would follow symbolic links out
of itself, and enter ignored directories.
"""

import asyncio
import os
import threading
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from watchfiles import Change, watch

MAX_CHANGES = 1000
"""Changes kept until they are taken. With more at once, some were probably lost."""

PathChange = tuple[Change, str]


class WatchFailedError(Exception):
    """Directories cannot be watched. The message says why and how to fix it.

    retry_after: seconds. is_expected: there is nothing to fix.
    """

    def __init__(self, message: str, retry_after: float, *, is_expected: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.is_expected = is_expected


class ChangeStream:
    """Watches in a thread of its own. step: seconds between two reads of the kernel's queue."""

    def __init__(self, step: float) -> None:
        self._step = max(1, round(step * 1000))
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "file-changes")
        self._stop = threading.Event()
        self._watching: asyncio.Future[None] | None = None
        self._started = asyncio.Event()
        self._ready = asyncio.Event()
        self._changes: set[PathChange] = set()
        self._overflowed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        self._thread.shutdown()

    def wake(self) -> None:
        """End a `wait` in progress, or the next one."""
        self._ready.set()

    async def watch(self, directories: Iterable[str], entries: Collection[str]) -> None:
        """Watch these directories and no others; WatchFailedError if that is impossible.

        entries: further paths, of which creation, deletion and replacement are reported.
        """
        await self.stop()
        self._stop = threading.Event()
        self._started.clear()
        self._watching = self._loop.run_in_executor(
            self._thread, self._watch, set(directories), frozenset(entries)
        )
        self._watching.add_done_callback(self._on_ended)
        await self._started.wait()
        self._raise_if_ended()

    async def stop(self) -> None:
        self._stop.set()
        if self._watching is not None:
            await asyncio.wait([self._watching])
            self._watching = None

    async def wait(self, seconds: float) -> tuple[set[PathChange], bool]:
        """Wait for changes; returns them, and whether there were too many to keep.

        There are none after the timeout. WatchFailedError if there will be none any more.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._ready.wait()
        except TimeoutError:
            return set(), False
        self._ready.clear()
        changes, overflowed = self._changes, self._overflowed
        self._changes, self._overflowed = set(), False
        self._raise_if_ended()
        return changes, overflowed

    def _raise_if_ended(self) -> None:
        if self._watching is not None and self._watching.done():
            error, self._watching = self._watching.exception(), None
            raise _watch_failed(error) from error

    def _on_ended(self, _: asyncio.Future[None]) -> None:
        self._started.set()
        self._ready.set()

    def _add(self, changes: set[PathChange]) -> None:
        self._started.set()
        if changes:
            self._changes |= changes
            if len(self._changes) > MAX_CHANGES:
                self._changes, self._overflowed = set(), True
            self._ready.set()

    def _watch(self, directories: set[str], entries: frozenset[str]) -> None:
        """Run in the thread. The first set, possibly empty, shows that all are watched."""

        def is_wanted(change: Change, path: str) -> bool:
            if path in entries and change is not Change.modified:
                return True
            return os.path.dirname(path) in directories  # noqa: PTH120 - strings throughout

        is_first = True
        for changes in watch(
            *directories | _readable_parents(entries),
            watch_filter=is_wanted,
            debounce=max(self._step, 1000),
            step=self._step,
            stop_event=self._stop,
            rust_timeout=self._step,
            yield_on_timeout=True,
            raise_interrupt=False,
            force_polling=False,
            recursive=False,
            ignore_permission_denied=False,
        ):
            if is_first or changes:
                is_first = False
                self._loop.call_soon_threadsafe(self._add, changes)


def _readable_parents(entries: Iterable[str]) -> set[str]:
    """Return the existing directories of some paths, as far as they may be watched."""
    parents = {os.path.dirname(entry) for entry in entries}  # noqa: PTH120 - strings throughout
    return {
        parent
        for parent in parents
        if os.path.isdir(parent)  # noqa: PTH112
        if os.access(parent, os.R_OK, effective_ids=True)
    }


def _watch_failed(error: BaseException | None) -> WatchFailedError:
    text = str(error)
    if isinstance(error, FileNotFoundError):  # a directory was removed after it was listed
        return WatchFailedError(text, 0.05, is_expected=True)
    if "decode path" in text:  # a name that is not UTF-8: only a sweep can find what changed
        return WatchFailedError(text, 2.0, is_expected=True)
    polled, fix = "so files are polled every 2 s", "raise the limit with `sysctl fs.inotify."
    if "watch limit" in text:
        fix += "max_user_watches=524288`"
        return WatchFailedError(f"inotify has no watches left, {polled}: {fix}", 300.0)
    if "os error 24" in text or "os error 23" in text:
        fix += "max_user_instances=512`"
        return WatchFailedError(f"inotify has no instances left, {polled}: {fix}", 300.0)
    return WatchFailedError(f"inotify cannot be used, {polled}: {text}", 300.0)
