"""Descriptors, which are few: of files at rest they are closed, and opened again when needed."""

import errno
import fcntl
import os
import resource

from notifyd.sources.logs.discovery.access import (
    DescriptorsExhaustedError,
    UnreadableFileError,
    examined,
    opened,
)
from notifyd.sources.logs.discovery.path_table import FileIdentity

_GETVERSION = 0x80087601
"""FS_IOC_GETVERSION of <linux/fs.h>, for a long of eight bytes."""
_DELETED = " (deleted)"
_FEWEST = 16
_CHUNK = 16
"""Into how many parts the open files are divided, one of which is closed at once."""


class FileReplacedError(OSError):
    """The name of a file at rest leads to another file by now, or to none."""


class PooledFile:
    """One file. kept: it has no name of ours, so it stays open, if at all possible."""

    __slots__ = (
        "_pool",
        "_users",
        "identity",
        "inode_generation",
        "open_descriptor",
        "path",
        "pinned",
    )

    def __init__(self, handles: "DescriptorPool", path: str, number: int) -> None:
        status = os.fstat(number)
        self.identity: FileIdentity = (status.st_dev, status.st_ino)
        self.inode_generation = _version(number)
        """What tells the inode from an earlier one of its number; 0 where nothing does."""
        self.path = path
        self.open_descriptor: int | None = number
        self.pinned = False
        self._pool, self._users = handles, 1

    @property
    def descriptor(self) -> int:
        """The open file; StaleError, ClosedGateError or another OSError if it cannot be had."""
        return self._pool.use(self)

    @property
    def is_open(self) -> bool:
        """Whether the file has a descriptor; else it is opened again when one is needed."""
        return self.open_descriptor is not None

    @property
    def current_path(self) -> str:
        """Where the file lies now, as far as the kernel tells; empty if it has no name."""
        try:
            place = os.readlink(f"/proc/self/fd/{self.open_descriptor}")  # noqa: PTH115
        except OSError:
            return ""
        return "" if place.endswith(_DELETED) or not place.startswith("/") else place

    def is_at(self, path: str) -> bool:
        """Whether a path leads to the file, not to one that got its number while it was closed.

        Of a file at rest this becomes the path by which it is opened again.
        """
        if self.open_descriptor is None:
            known, self.path = self.path, path
            try:
                return self.descriptor >= 0
            except (UnreadableFileError, OSError):
                self.path = known
                return False
        return True

    def share(self) -> "PooledFile":
        self._users += 1
        return self

    def close(self) -> None:
        self._users -= 1
        if not self._users:
            self._pool.release(self)


class DescriptorPool:
    """All of them. most: how many are open at once, those that are kept aside."""

    def __init__(self, most: int | None = None) -> None:
        half = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2
        self.limit = max(half, _FEWEST) if most is None else most
        self.has_evicted = False
        """Whether files had to be closed for others."""
        self._open_files: dict[PooledFile, None] = {}  # the one that was used last is the last

    @property
    def problem(self) -> str:
        if not self.has_evicted:
            return ""
        return (
            "too few files may be open for all logs to stay so: those at rest are closed, and "
            "opened again when they change; raise LimitNOFILE (ulimit -n)"
        )

    def open(self, path: str, status: os.stat_result) -> PooledFile:
        """Open what was examined; ClosedGateError if it cannot be or is another by now."""
        number = self._open_path(path, status)
        handle = PooledFile(self, path, number)
        self._open_files[handle] = None
        self._make_room(self.limit, handle)
        return handle

    def use(self, handle: PooledFile) -> int:
        number = handle.open_descriptor
        if number is None:
            number = handle.open_descriptor = self._reopen(handle)
        self._open_files.pop(handle, None)
        self._open_files[handle] = None
        self._make_room(self.limit, handle)
        return number

    def release(self, handle: PooledFile) -> None:
        """Close a file; if it has a name it can be opened again."""
        self._open_files.pop(handle, None)
        if handle.open_descriptor is not None:
            os.close(handle.open_descriptor)
            handle.open_descriptor = None

    def _reopen(self, handle: PooledFile) -> int:
        status = examined(handle.path)
        if status is None or (status.st_dev, status.st_ino) != handle.identity:
            raise FileReplacedError(errno.ESTALE, os.strerror(errno.ESTALE), handle.path)
        number = self._open_path(handle.path, status)
        if _version(number) != handle.inode_generation:
            os.close(number)
            raise FileReplacedError(errno.ESTALE, os.strerror(errno.ESTALE), handle.path)
        return number

    def _open_path(self, path: str, status: os.stat_result) -> int:
        try:
            return opened(path, status)
        except DescriptorsExhaustedError:
            if not self._make_room(len(self._open_files) // 2):
                raise
        return opened(path, status)

    def _make_room(self, most: int, used: PooledFile | None = None) -> bool:
        """Close those that were used longest ago until so many are left; tells if one was."""
        if len(self._open_files) <= most:
            return False
        over = len(self._open_files) - most
        over += most // _CHUNK  # so that the search for them is not made for each file
        idle = [handle for handle in self._open_files if not handle.pinned]
        idle += [handle for handle in self._open_files if handle.pinned and handle.current_path]
        idle = [handle for handle in idle if handle is not used][:over]
        for handle in idle:
            if handle.pinned:  # it has a name all the same, if not one of ours
                handle.path, handle.pinned = handle.current_path, False
            self.release(handle)
        self.has_evicted |= bool(idle)
        return bool(idle)


def _version(number: int) -> int:
    try:
        return int.from_bytes(fcntl.ioctl(number, _GETVERSION, bytes(8))[:4], "little")
    except OSError:
        return 0
