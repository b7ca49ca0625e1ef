"""A bounded number of open descriptors: idle files are closed, and reopened when needed."""

import errno
import fcntl
import os
import resource

from notifyd.sources.logs.discovery.access import (
    DescriptorsExhaustedError,
    UnreadableFileError,
    open_log,
    stat_log,
)
from notifyd.sources.logs.discovery.path_table import FileIdentity

_FS_IOC_GETVERSION = 0x80087601
"""Of <linux/fs.h>, for a long of eight bytes."""
_DELETED_SUFFIX = " (deleted)"
_LEAST_LIMIT = 16
_EVICTED_SHARE = 16
"""One part in so many of the limit is closed at once, so that evictions are rare."""


class FileReplacedError(OSError):
    """The path of a closed file leads to another file, or to none."""


class PooledFile:
    """One file, which several readers may share.

    path: where it is reopened. pinned: no configured path leads to it, so it stays open if that
    is possible. inode_generation: tells its inode from an earlier one with the same number; 0 if
    the file system has none.
    """

    __slots__ = (
        "_pool",
        "_users",
        "identity",
        "inode_generation",
        "open_descriptor",
        "path",
        "pinned",
    )

    def __init__(self, pool: "DescriptorPool", path: str, descriptor: int) -> None:
        status = os.fstat(descriptor)
        self.identity: FileIdentity = (status.st_dev, status.st_ino)
        self.inode_generation = _inode_generation(descriptor)
        self.path = path
        self.open_descriptor: int | None = descriptor
        self.pinned = False
        self._pool, self._users = pool, 1

    @property
    def descriptor(self) -> int:
        """An open descriptor, valid until another file is used.

        Raises FileReplacedError, UnreadableFileError or OSError if the file cannot be reopened.
        """
        return self._pool.use(self)

    @property
    def is_open(self) -> bool:
        return self.open_descriptor is not None

    @property
    def current_path(self) -> str:
        """Where the file is now; empty if it is closed or deleted."""
        try:
            path = os.readlink(f"/proc/self/fd/{self.open_descriptor}")  # noqa: PTH115
        except OSError:
            return ""
        return "" if path.endswith(_DELETED_SUFFIX) or not path.startswith("/") else path

    def is_at(self, path: str) -> bool:
        """Whether a path leads to this file, when it leads to a file with the same inode number.

        A closed file is reopened there to find out, and from then on.
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
        """Return this file for one more user, who closes it too."""
        self._users += 1
        return self

    def close(self) -> None:
        self._users -= 1
        if not self._users:
            self._pool.release(self)


class DescriptorPool:
    """limit: how many files are open at once; by default half of what the process may open."""

    def __init__(self, limit: int | None = None) -> None:
        half = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2
        self.limit = max(half, _LEAST_LIMIT) if limit is None else limit
        self._has_evicted = False
        self._open_files: dict[PooledFile, None] = {}
        """The file that was used last is last."""

    @property
    def problem(self) -> str:
        """Why idle files were closed; empty if none was."""
        if not self._has_evicted:
            return ""
        return (
            "too few descriptors to keep all logs open: idle logs are closed, and reopened when "
            "they change; raise LimitNOFILE (ulimit -n)"
        )

    def open(self, path: str, status: os.stat_result) -> PooledFile:
        """Open the file that was examined. UnreadableFileError if another one is there."""
        file = PooledFile(self, path, self._open_path(path, status))
        self._open_files[file] = None
        self._evict(self.limit, file)
        return file

    def use(self, file: PooledFile) -> int:
        """Return the descriptor of a file, which is reopened if it was closed."""
        descriptor = file.open_descriptor
        if descriptor is None:
            descriptor = file.open_descriptor = self._reopen(file)
        self._open_files.pop(file, None)
        self._open_files[file] = None
        self._evict(self.limit, file)
        return descriptor

    def release(self, file: PooledFile) -> None:
        """Close a file. It can be reopened if it has a path."""
        self._open_files.pop(file, None)
        if file.open_descriptor is not None:
            os.close(file.open_descriptor)
            file.open_descriptor = None

    def _reopen(self, file: PooledFile) -> int:
        status = stat_log(file.path)
        if status is None or (status.st_dev, status.st_ino) != file.identity:
            raise FileReplacedError(errno.ESTALE, os.strerror(errno.ESTALE), file.path)
        descriptor = self._open_path(file.path, status)
        if _inode_generation(descriptor) != file.inode_generation:
            os.close(descriptor)
            raise FileReplacedError(errno.ESTALE, os.strerror(errno.ESTALE), file.path)
        return descriptor

    def _open_path(self, path: str, status: os.stat_result) -> int:
        try:
            return open_log(path, status)
        except DescriptorsExhaustedError:
            if not self._evict(len(self._open_files) // 2):
                raise
        return open_log(path, status)

    def _evict(self, most: int, used: PooledFile | None = None) -> bool:
        """Close the least recently used files until `most` are open; return whether one was.

        Pinned files are closed last, and only if they have a path.
        """
        if len(self._open_files) <= most:
            return False
        excess = len(self._open_files) - most + most // _EVICTED_SHARE
        idle = [file for file in self._open_files if not file.pinned]
        idle += [file for file in self._open_files if file.pinned and file.current_path]
        idle = [file for file in idle if file is not used][:excess]
        for file in idle:
            if file.pinned:
                file.path, file.pinned = file.current_path, False
            self.release(file)
        self._has_evicted |= bool(idle)
        return bool(idle)


def _inode_generation(descriptor: int) -> int:
    try:
        return int.from_bytes(fcntl.ioctl(descriptor, _FS_IOC_GETVERSION, bytes(8))[:4], "little")
    except OSError:
        return 0
