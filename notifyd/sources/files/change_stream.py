"""What the kernel says of directories, by watchfiles: where it may be worth to look, no more.

watchfiles loses events without a sign when the kernel's queue overflows, so nothing may rest on
hints alone. Directories are watched one by one and not as trees: a tree would follow symbolic
links out of itself, and enter what was told to be ignored.
"""

import asyncio
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from watchfiles import Change, watch

FLOOD = 1000
"""Hints kept until they are asked for; with more of them at once some were probably lost."""

PathChange = tuple[Change, str]


class WatchFailedError(Exception):
    """No hints can be had; the message says why and how to mend it.

    again: seconds after which to try again. known: there is nothing for anybody to mend.
    """

    def __init__(self, sentence: str, again: float, *, known: bool = False) -> None:
        super().__init__(sentence)
        self.again = again
        self.known = known


class ChangeStream:
    """Listens in a thread of its own. step: seconds between two looks into the kernel's queue."""

    def __init__(self, step: float) -> None:
        self._step = max(1, round(step * 1000))
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "file-hints")
        self._stop = threading.Event()
        self._listening: asyncio.Future[None] | None = None
        self._armed = asyncio.Event()
        self._news = asyncio.Event()
        self._heard: set[PathChange] = set()
        self._flood = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.hush()
        self._thread.shutdown()

    async def arm(self, folders: Iterable[str]) -> None:
        """Listen to these directories instead, from now on; DeafError if that cannot be."""
        await self.hush()
        self._stop = threading.Event()
        self._armed.clear()
        self._listening = self._loop.run_in_executor(self._thread, self._listen, list(folders))
        self._listening.add_done_callback(self._ended)
        await self._armed.wait()
        self._check()

    async def hush(self) -> None:
        """Stop to listen."""
        self._stop.set()
        if self._listening is not None:
            await asyncio.wait([self._listening])
            self._listening = None

    async def wait(self, seconds: float) -> tuple[set[PathChange], bool]:
        """Wait for hints, at most so long: what was heard, and whether that may not be all.

        DeafError if there will be none any more.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return set(), False
        self._news.clear()
        heard, flood = self._heard, self._flood
        self._heard, self._flood = set(), False
        self._check()
        return heard, flood

    def _check(self) -> None:
        if self._listening is not None and self._listening.done():
            error, self._listening = self._listening.exception(), None
            raise _deaf(error) from error

    def _ended(self, _: asyncio.Future[None]) -> None:
        self._armed.set()
        self._news.set()

    def _take(self, changes: set[PathChange]) -> None:
        self._armed.set()
        if changes:
            self._heard |= changes
            if len(self._heard) > FLOOD:
                self._heard, self._flood = set(), True
            self._news.set()

    def _listen(self, folders: list[str]) -> None:
        """Run in the thread. An empty set, one step after the start, says that all are watched."""
        first = True
        for changes in watch(
            *folders,
            watch_filter=None,
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
            if first or changes:
                first = False
                self._loop.call_soon_threadsafe(self._take, changes)


def _deaf(error: BaseException | None) -> WatchFailedError:
    text = str(error)
    if isinstance(error, FileNotFoundError):  # a directory went away since it was listed
        return WatchFailedError(text, 0.05, known=True)
    if "decode path" in text:  # a name that is no UTF-8; only a sweep can tell what became of it
        return WatchFailedError(text, 2.0, known=True)
    instead, mend = "so files are looked at every 2 s instead", "raise the limit with `sysctl"
    if "watch limit" in text:
        mend += " fs.inotify.max_user_watches=524288`"
        return WatchFailedError(f"inotify has no watches left, {instead}: {mend}", 300.0)
    if "os error 24" in text or "os error 23" in text:
        mend += " fs.inotify.max_user_instances=512`"
        return WatchFailedError(f"inotify has no instances left, {instead}: {mend}", 300.0)
    return WatchFailedError(f"inotify cannot be used, {instead}: {text}", 300.0)
