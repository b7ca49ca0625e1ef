"""Hints from inotify about which paths to check, and where inotify gives none.

Hints only save time: a lost one delays a line until the next scan.
"""

import asyncio
import errno
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from asyncinotify import Event, Inotify, Mask
from asyncinotify import Watch as InotifyWatch

from notifyd.sources.waiting import wait_readable

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
_NETWORK_TYPES = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "ceph",
    "glusterfs",
    "lustre",
    "afs",
    "davfs",
}
_HOST_TYPES = {"9p", "virtiofs", "vboxsf", "prl_fs"}
_MOUNT_INFO = Path("/proc/self/mountinfo")


@dataclass(slots=True)
class FsHints:
    """Paths to check.

    written: files whose content changed. changed: paths that were created, moved or deleted, or
    whose permissions changed. directories: the directories among these. all: hints were lost, so
    every path must be checked.
    """

    written: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    directories: set[str] = field(default_factory=set)
    all: bool = False

    def __ior__(self, other: "FsHints") -> Self:
        self.written |= other.written
        self.changed |= other.changed
        self.directories |= other.directories
        self.all |= other.all
        return self

    @property
    def has_path_changes(self) -> bool:
        """Whether more than the content of files may have changed."""
        return bool(self.changed or self.directories or self.all)

    def __bool__(self) -> bool:
        return bool(self.written or self.changed or self.directories or self.all)


class InotifyWatcher:
    """Watches directories. Not thread-safe, but may be used from any thread.

    The kernel has one watch for a directory, whatever the number of paths that lead to it.
    """

    def __init__(self, connect: Callable[..., Inotify] = Inotify) -> None:
        self._watches: dict[str, tuple[InotifyWatch, Mask]] = {}
        self._paths: dict[int, set[str]] = {}
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
        if self._inotify is not None:
            self._inotify.close()

    def set_watched(
        self, all_changes: Iterable[str], path_changes: Iterable[str], *, recheck: bool = False
    ) -> set[str]:
        """Watch exactly these directories, for all changes or only for those of paths.

        Returns those that are newly watched, in which a change may have been missed.
        recheck: replace the watches of paths that lead to another directory by now, and retry
        those that failed.
        """
        if recheck and self._inotify is not None:
            self.problem = ""  # a limit that still applies sets it again
        wanted = dict.fromkeys(path_changes, _PATH_CHANGES) | dict.fromkeys(
            all_changes, _ALL_CHANGES
        )
        for directory in self._watches.keys() - wanted.keys():
            self._unwatch(directory)
        return {
            directory
            for directory, mask in wanted.items()
            if recheck or mask & ~self._watches.get(directory, (None, Mask.ZERO))[1]
            if self._watch(directory, mask)
        }

    async def wait(self, seconds: float) -> None:
        """Wait for a hint, at most so many seconds."""
        if self._has_buffered:
            return
        if self._inotify is None:
            await asyncio.sleep(seconds)
            return
        await wait_readable(self._inotify.fd, seconds)

    def read_hints(self) -> FsHints:
        """Return hints without waiting; there may be more."""
        hints = FsHints()
        if self._inotify is None:
            return hints
        self._has_buffered = True
        for _ in range(_MOST_EVENTS):
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
            paths |= {os.path.join(directory, event.name) for directory in directories}  # noqa: PTH118

    def _watch(self, directory: str, mask: Mask) -> bool:
        """Watch a directory; return whether more of its changes are reported than before."""
        if self._inotify is None:
            return False
        try:
            watch = self._inotify.add_watch(directory, mask)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.ENOMEM):
                self.problem = _TOO_FEW_WATCHES
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


class MountTable:
    """The mounted file systems, as of when this is made."""

    def __init__(self, table: Path = _MOUNT_INFO) -> None:
        self._types: dict[str, str] = {}
        try:
            lines = table.read_text(errors="surrogateescape").splitlines()
        except OSError:
            return
        for line in lines:
            left, _, right = line.partition(" - ")
            point = left.split()[4].encode(errors="surrogateescape").decode("unicode_escape")
            self._types[point] = right.split()[0]

    def remote_type(self, directory: str) -> str:
        """Return the type of a file system that others can write to without an inotify event.

        Empty for a local file system.
        """
        path = os.path.realpath(directory)
        while path not in self._types and path != "/":
            path = os.path.dirname(path)  # noqa: PTH120 - strings throughout
        kind = self._types.get(path, "")
        return kind if kind in _NETWORK_TYPES | _HOST_TYPES or kind.startswith("fuse.") else ""
