"""Mounted file systems: of which types they are, and when one is mounted or unmounted."""

import asyncio
import os
import select
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from notifyd.sources.path_chains import follow_path

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


class MountTable:
    """The mounted file systems, as of when this is made."""

    def __init__(self, table: Path = _MOUNT_INFO) -> None:
        self._types: dict[str, str] = {}
        self.mounts: set[tuple[str, str]] = set()
        """The kernel's number of each mount, and its path."""
        try:
            lines = table.read_text(errors="surrogateescape").splitlines()
        except OSError:
            return
        for line in lines:
            left, _, right = line.partition(" - ")
            mount_id, *_, name = left.split()[:5]
            point = name.encode(errors="surrogateescape").decode("unicode_escape")
            point = point.encode("latin-1").decode(errors="surrogateescape")
            self._types[point] = right.split()[0]
            self.mounts.add((mount_id, point))

    def changed_points(self, earlier: "MountTable") -> set[str]:
        """Return the paths at which a file system was mounted or unmounted since another table."""
        return {point for _, point in self.mounts ^ earlier.mounts}

    def remote_type(self, directory: str) -> str:
        """Return the type of a file system that others can write to without an inotify event.

        Empty for a local file system.
        """
        path = follow_path(directory).end  # os.path.realpath fails while a link is being replaced
        while path not in self._types and path != "/":
            path = os.path.dirname(path)  # noqa: PTH120 - strings throughout
        kind = self._types.get(path, "")
        return kind if kind in _NETWORK_TYPES | _HOST_TYPES or kind.startswith("fuse.") else ""


class MountWatcher:
    """Reports where file systems are mounted and unmounted. Without /proc it reports nothing.

    The kernel announces each change once per descriptor, also to a poll that has no use for it.
    So the event loop polls it from the first `call_on_change` on, until this is closed.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._file: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._callback: Callable[[], None] = _do_nothing
        self._has_changed = False
        with suppress(OSError):
            self._file = os.open(_MOUNT_INFO, os.O_RDONLY | os.O_CLOEXEC)
            self._epoll.register(self._file, select.EPOLLPRI | select.EPOLLERR)
        self._table = MountTable()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None:
            self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()
        if self._file is not None:
            os.close(self._file)

    def call_on_change(self, callback: Callable[[], None] | None) -> None:
        """Call back on the running loop after each change, and at once if one was not yet taken."""
        self._callback = callback or _do_nothing
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._has_changed = self._has_changed or bool(self._epoll.poll(0))
            self._loop.add_reader(self._epoll.fileno(), self._on_change)
        if self._has_changed:
            self._callback()

    def take_changed_points(self) -> set[str]:
        """Return, once, the mount points that changed. May be called from any thread."""
        if self._epoll.poll(0):
            self._has_changed = True
        if not self._has_changed:
            return set()
        self._has_changed = False  # before the table is read, so that no change is missed
        earlier, self._table = self._table, MountTable()
        return self._table.changed_points(earlier)

    def _on_change(self) -> None:
        self._has_changed = True
        self._callback()


def _do_nothing() -> None:
    pass
