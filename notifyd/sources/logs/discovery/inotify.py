"""Hints from inotify about which paths to check, and where inotify gives none.

Hints only save time: a lost one delays a line until the next scan.
"""

import asyncio
import errno
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import product
from typing import Self

from asyncinotify import Event, Inotify, Mask
from asyncinotify import Watch as InotifyWatch

from notifyd.sources.mounts import MountWatcher

_ENTRIES = Mask.CREATE | Mask.MOVED_FROM | Mask.MOVED_TO | Mask.DELETE
_SELF = Mask.DELETE_SELF | Mask.MOVE_SELF | Mask.UNMOUNT
_PATH_CHANGES = _ENTRIES | _SELF | Mask.ONLYDIR | Mask.MASK_ADD
_ALL_CHANGES = _PATH_CHANGES | Mask.MODIFY | Mask.ATTRIB
_MOST_EVENTS = 1000
"""How many events are read before the hints are followed."""
_READ_SIZE = 200

_TOO_FEW_WATCHES = (
    "inotify has no watches left, so logs are polled every second: raise the limit with "
    "`sysctl fs.inotify.max_user_watches=524288`"
)
_TOO_FEW_INSTANCES = (
    "inotify cannot be used, so logs are polled every second: raise the limit with "
    "`sysctl fs.inotify.max_user_instances=512` and restart notifyd"
)


@dataclass(slots=True)
class FsHints:
    """Paths to check.

    written: files whose content changed. written_last: those of which no attribute changed after
    that. attributes: files of which an attribute, such as a time, changed. changed: paths that were
    created, moved or deleted, or of which an attribute changed. directories: the directories among
    these. mount_points: where a file system was mounted or unmounted. renames: old and new paths of
    files that were renamed from one watched directory to another, in order. all: hints were lost,
    so every path must be checked.
    """

    written: set[str] = field(default_factory=set)
    written_last: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    directories: set[str] = field(default_factory=set)
    mount_points: set[str] = field(default_factory=set)
    renames: list[tuple[str, str]] = field(default_factory=list)
    all: bool = False

    def __ior__(self, other: "FsHints") -> Self:
        self.written |= other.written
        self.written_last = (self.written_last - other.attributes) | other.written_last
        self.attributes |= other.attributes
        self.changed |= other.changed
        self.directories |= other.directories
        self.mount_points |= other.mount_points
        self.renames += other.renames
        self.all |= other.all
        return self

    @property
    def has_path_changes(self) -> bool:
        """Whether more than the content of files may have changed."""
        return bool(self.changed or self.directories or self.mount_points or self.all)

    def __bool__(self) -> bool:
        return bool(self.written or self.has_path_changes)


@dataclass(frozen=True, slots=True)
class WatchRequest:
    """What to watch.

    directories: those in which every change is reported. entries: paths of which only creation,
    deletion and replacement are reported; their directories are watched for it. replaced:
    directories that may be others than before, at and below which watches are made again.
    recheck: make all watches again, and retry those that failed.
    """

    directories: Iterable[str]
    entries: Iterable[str] = ()
    replaced: Iterable[str] = ()
    recheck: bool = False


class InotifyWatcher:
    """Watches directories and the table of mounts.

    Not thread-safe, but may be used from any thread.

    The kernel has one watch for a directory, whatever the number of paths that lead to it.
    """

    def __init__(self, connect: Callable[..., Inotify] = Inotify) -> None:
        self._watches: dict[str, tuple[InotifyWatch, Mask]] = {}
        self._paths: dict[int, set[str]] = {}
        self._entries: frozenset[str] = frozenset()
        self._mounts = MountWatcher()
        self._pending = FsHints()
        self._moved_from: tuple[int, list[str]] = (0, [])
        self._has_buffered = False  # events read from the kernel do not make it readable again
        self.problem = ""
        """Why files must be polled; empty while inotify reports every change."""
        try:
            self._inotify: Inotify | None = connect(cache_size=_READ_SIZE, sync_timeout=0)
        except OSError:
            self._inotify = None
            self.problem = _TOO_FEW_INSTANCES

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._mounts.__exit__()
        if self._inotify is not None:
            self._inotify.close()

    def set_watched(self, request: WatchRequest) -> set[str]:
        """Watch exactly what is requested.

        Returns the directories that are newly watched, in which a change may have been missed.
        """
        if request.recheck and self._inotify is not None:
            self.problem = ""  # a limit that still applies sets it again
        self._entries = frozenset(request.entries)
        parents = {os.path.dirname(entry) for entry in self._entries}  # noqa: PTH120
        wanted = dict.fromkeys(parents, _PATH_CHANGES)
        wanted |= dict.fromkeys(request.directories, _ALL_CHANGES)
        for directory in self._watches.keys() - wanted.keys():
            self._unwatch(directory)
        replaced = set(request.replaced)
        below = tuple(directory.rstrip("/") + "/" for directory in replaced)
        return {
            directory
            for directory, mask in wanted.items()
            if request.recheck
            or mask & ~self._watches.get(directory, (None, Mask.ZERO))[1]
            or directory in replaced
            or directory.startswith(below)
            if self._watch(directory, mask)
        }

    async def wait(self, seconds: float) -> None:
        """Wait for a hint, at most so many seconds. Events that concern no path do not end it."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not self._pending and (left := end - loop.time()) > 0:
            if self._has_buffered:
                await asyncio.sleep(0)
            else:
                await self._wait_readable(left)
            self._pending |= self._read(_READ_SIZE)

    async def _wait_readable(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        ready = loop.create_future()

        def wake() -> None:
            if not ready.done():
                ready.set_result(None)

        self._mounts.call_on_change(wake)
        if self._inotify is not None:
            loop.add_reader(self._inotify.fd, wake)
        try:
            async with asyncio.timeout(seconds):
                await ready
        except TimeoutError:
            return
        finally:
            self._mounts.call_on_change(None)
            if self._inotify is not None:
                loop.remove_reader(self._inotify.fd)

    def read_hints(self) -> FsHints:
        """Return hints without waiting; there may be more."""
        hints, self._pending = self._pending, FsHints()
        hints |= self._read(_MOST_EVENTS)
        return hints

    def _read(self, most: int) -> FsHints:
        """Read so many events from the kernel at most."""
        hints = FsHints(mount_points=self._mounts.take_changed_points())
        if self._inotify is None:
            return hints
        self._has_buffered = True
        for _ in range(most):
            event = self._inotify.sync_get()
            if event is None:
                self._has_buffered = False
                break
            if event.mask & Mask.Q_OVERFLOW:
                hints.all = True
            elif event.watch is not None:
                self._add_hint(event, event.watch, hints)
        return hints

    def _add_hint(self, event: Event, watch: InotifyWatch, hints: FsHints) -> None:
        directories = set(self._paths.get(watch.wd, ()))
        if event.mask & (_SELF | Mask.IGNORED):
            for directory in directories:
                self._unwatch(directory)
            hints.directories |= directories
        elif event.name is None:
            hints.directories |= directories
        else:
            paths = hints.changed
            if event.mask & Mask.ISDIR:
                paths = hints.directories
            elif event.mask & Mask.MODIFY:
                paths = hints.written
            found = [
                path
                for directory in directories
                if (path := os.path.join(directory, event.name)) in self._entries  # noqa: PTH118
                or self._watches[directory][1] & Mask.MODIFY
            ]
            paths.update(found)
            if paths is hints.written:
                hints.written_last.update(found)
            elif event.mask & Mask.ATTRIB:
                hints.attributes.update(found)
                hints.written_last.difference_update(found)
            if event.mask & Mask.MOVED_FROM:
                self._moved_from = (event.cookie, found)
            elif event.mask & Mask.MOVED_TO and event.cookie == self._moved_from[0]:
                pairs = product(self._moved_from[1], found)
                hints.renames += [pair for pair in pairs if not event.mask & Mask.ISDIR]

    def _watch(self, directory: str, mask: Mask) -> bool:
        """Watch a directory; return whether more of its changes are reported than before."""
        if self._inotify is None:
            return False
        try:
            watch = self._inotify.add_watch(directory, mask)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.ENOMEM):
                self.problem = _TOO_FEW_WATCHES
            if directory in self._watches:  # another directory had this path
                self._unwatch(directory)
            return False  # deleted, or not readable: the scan reports that
        before, known_mask = self._watches.get(directory, (None, Mask.ZERO))
        if before is not None and before.wd != watch.wd:
            self._unwatch(directory)
            known_mask = Mask.ZERO
        self._watches[directory] = (watch, mask)
        self._paths.setdefault(watch.wd, set()).add(directory)
        return bool(mask & ~known_mask)

    def _unwatch(self, directory: str) -> None:
        watch, _ = self._watches.pop(directory)
        paths = self._paths[watch.wd]
        paths.discard(directory)
        if paths:
            return
        del self._paths[watch.wd]
        if self._inotify is not None:
            try:
                self._inotify.rm_watch(watch)
            except OSError:
                return  # the kernel has removed it
