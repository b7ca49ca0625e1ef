"""What the kernel says of directories: hints of where to look, and nothing is lost with one."""

import asyncio
import errno
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from asyncinotify import Event, Inotify, Mask
from asyncinotify import Watch as Handle

from notifyd.sources.readable import readable

_APPEARING = Mask.CREATE | Mask.MOVED_FROM | Mask.MOVED_TO | Mask.DELETE
_GONE = Mask.DELETE_SELF | Mask.MOVE_SELF | Mask.UNMOUNT
_AWAITED = _APPEARING | _GONE | Mask.ONLYDIR | Mask.MASK_ADD
_FOLLOWED = _AWAITED | Mask.MODIFY | Mask.ATTRIB
_AT_ONCE = 1000
"""So many of the kernel's events are taken before what they hint at is looked at."""
_QUEUE_READ = 200

_WATCHES = (
    "the limit of inotify watches is reached, so logs are looked at every second instead: "
    "raise fs.inotify.max_user_watches with sysctl"
)
_INSTANCES = (
    "inotify is not to be had, so logs are looked at every second instead: "
    "raise fs.inotify.max_user_instances with sysctl"
)
_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "glusterfs", "lustre", "afs", "davfs"}
_HOST = {"9p", "virtiofs", "vboxsf", "prl_fs"}
_MOUNTS = Path("/proc/self/mountinfo")


@dataclass(slots=True)
class FsHints:
    """written: files with new content. changed: names that came, went or got other rights.

    directories: directories that did. all: something was missed, so look at everything.
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
        """Whether names may have come or gone, not only content."""
        return bool(self.changed or self.directories or self.all)

    def __bool__(self) -> bool:
        return bool(self.written or self.changed or self.directories or self.all)


class InotifyWatcher:
    """One call at a time, from any thread. A directory under two names is one for the kernel."""

    def __init__(self, connect: Callable[..., Inotify] = Inotify) -> None:
        self._handles: dict[str, tuple[Handle, Mask]] = {}
        self._names: dict[int, set[str]] = {}
        self._more = False  # what was read from the kernel and not taken makes nothing readable
        self.problem = ""
        """Why files must be polled; empty while the kernel tells of everything."""
        try:
            self._inotify: Inotify | None = connect(cache_size=_QUEUE_READ, sync_timeout=0)
        except OSError:
            self._inotify = None
            self.problem = _INSTANCES

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._inotify is not None:
            self._inotify.close()

    def set_watched(
        self, followed: Iterable[str], awaited: Iterable[str], *, again: bool = False
    ) -> set[str]:
        """Watch exactly these from now on: for all changes, or only for names that appear.

        Returns those that are new, in which something may have happened just before.
        again: ask also whether those that are watched are still the same directories.
        """
        if again and self._inotify is not None:
            self.problem = ""  # every directory is asked for, so a limit that is left shows anew
        wanted = dict.fromkeys(awaited, _AWAITED) | dict.fromkeys(followed, _FOLLOWED)
        for directory in self._handles.keys() - wanted.keys():
            self._drop(directory)
        return {
            directory
            for directory, mask in wanted.items()
            if again or mask & ~self._handles.get(directory, (None, Mask.ZERO))[1]
            if self._add(directory, mask)
        }

    async def wait(self, seconds: float) -> None:
        """Wait until there is a hint, at most so many seconds."""
        if self._more:
            return
        if self._inotify is None:
            await asyncio.sleep(seconds)
            return
        await readable(self._inotify.fd, seconds)

    def read_hints(self) -> FsHints:
        """Take what the kernel has to say now, without waiting; there may be more."""
        hints = FsHints()
        if self._inotify is None:
            return hints
        self._more = True
        for _ in range(_AT_ONCE):
            event = self._inotify.sync_get()
            if event is None:
                self._more = False
                break
            if event.mask & Mask.Q_OVERFLOW:
                hints.all = True
            elif event.watch is not None:
                self._sort(event, event.watch, hints)
        return hints

    def _sort(self, event: Event, handle: Handle, hints: FsHints) -> None:
        directories = set(self._names.get(handle.wd, ()))
        if event.mask & (_GONE | Mask.IGNORED):
            for directory in directories:
                self._drop(directory)
            hints.directories |= directories
        elif event.name is None:
            hints.directories |= directories
        else:
            into = hints.changed
            if event.mask & Mask.ISDIR:
                into = hints.directories
            elif event.mask & Mask.MODIFY:
                into = hints.written
            into |= {os.path.join(directory, event.name) for directory in directories}  # noqa: PTH118

    def _add(self, directory: str, mask: Mask) -> bool:
        """Watch a directory; tells whether the kernel now says more of it than before."""
        if self._inotify is None:
            return False
        try:
            handle = self._inotify.add_watch(directory, mask)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.ENOMEM):
                self.problem = _WATCHES
            return False  # gone meanwhile, or not ours to see: the survey tells
        before, known = self._handles.get(directory, (None, Mask.ZERO))
        if before is not None and before.wd != handle.wd:
            self._drop(directory)
            known = Mask.ZERO
        self._handles[directory] = (handle, mask)
        self._names.setdefault(handle.wd, set()).add(directory)
        return bool(mask & ~known)

    def _drop(self, directory: str) -> None:
        handle, _ = self._handles.pop(directory)
        names = self._names[handle.wd]
        names.discard(directory)
        if names:
            return
        del self._names[handle.wd]
        if self._inotify is not None:
            try:
                self._inotify.rm_watch(handle)
            except OSError:
                return  # the kernel dropped it before


class MountTable:
    """The file systems as they are mounted at one moment."""

    def __init__(self, table: Path = _MOUNTS) -> None:
        self._kinds: dict[str, str] = {}
        try:
            lines = table.read_text(errors="surrogateescape").splitlines()
        except OSError:
            return
        for line in lines:
            left, _, right = line.partition(" - ")
            point = left.split()[4].encode(errors="surrogateescape").decode("unicode_escape")
            self._kinds[point] = right.split()[0]

    def remote_type(self, directory: str) -> str:
        """Name the kind of a file system that others may write to; empty for a local one."""
        place = os.path.realpath(directory)
        while place not in self._kinds and place != "/":
            place = os.path.dirname(place)  # noqa: PTH120 - strings throughout
        kind = self._kinds.get(place, "")
        return kind if kind in _NETWORK | _HOST or kind.startswith("fuse.") else ""
