"""The database's place on disk: its directory, held by one daemon, and the file itself."""

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path

from notifyd.model.errors import InUseError, StoreError, StoreUnavailableError
from notifyd.model.ownership import describe_untrusted, is_untrusted_refused

DATABASE_NAME = "notifyd.db"

_FileId = tuple[int, int]
"""Device and inode."""


class DatabaseFile:
    """Locks the state directory for as long as it lives.

    Raises InUseError, with the pid of the holder, if another daemon has locked it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / DATABASE_NAME
        self._lock_path = folder / "lock"
        self._lock = _lock(folder, self._lock_path)
        self._opened: _FileId | None = None

    def mark_opened(self) -> None:
        """Take the file at the path for the open database."""
        self._opened = _file_id(self.path)

    def is_gone(self) -> bool:
        """Whether the open database was deleted or replaced; open connections still work."""
        try:
            return _file_id(self.path) != self._opened
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False  # the path cannot be read, which says nothing about the open file

    def ensure_locked(self) -> None:
        """Lock the directory again if the lock file was deleted or replaced.

        Raises StoreUnavailableError if that is not possible.
        """
        try:
            held = os.fstat(self._lock)
            if _file_id(self._lock_path) == (held.st_dev, held.st_ino):
                return
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError:
            return
        try:
            lock = _lock(self.folder, self._lock_path)
        except (InUseError, StoreError) as error:
            raise StoreUnavailableError(str(error)) from error
        os.close(self._lock)
        self._lock = lock

    def close(self) -> None:
        os.close(self._lock)


def check_directory(folder: Path) -> str:
    """Return a warning if others may change the state directory; empty if not, or without one.

    Raises StoreError if this user is root, whom they could make write elsewhere.
    """
    try:
        problem = describe_untrusted(folder, folder.stat())
    except OSError:
        return ""
    if problem and is_untrusted_refused():
        raise StoreError(f"the state directory is not used as root: {problem}")
    return problem and f"the state directory is not safe: {problem}"


def find_lock_holder(folder: Path) -> str:
    """Return the pid of the daemon that has locked a state directory; empty if none has.

    Creates nothing.
    """
    try:
        lock = os.open(folder / "lock", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return ""
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_holder(lock)
    except OSError:
        return ""
    else:
        return ""
    finally:
        os.close(lock)


def _read_holder(lock: int) -> str:
    return os.read(lock, 20).decode(errors="replace").strip() or "unknown"


def _lock(folder: Path, path: Path) -> int:
    """Create the directory if necessary and lock it until the returned descriptor is closed."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_directory(folder)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        lock = os.open(path, flags, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise StoreError(f"{path} is a link, which no daemon made; remove it") from error
        raise StoreError(
            f"cannot use the state directory {folder}: {error.strerror}; "
            "set [state] dir to a directory that this user can write to"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = _read_holder(lock)
        os.close(lock)
        raise InUseError(
            f"notifyd already runs with the state directory {folder} (pid {holder}); "
            "stop it first or set [state] dir to another directory"
        ) from error
    with suppress(OSError):  # on a full disk the pid stays unknown
        os.ftruncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
    return lock


def _file_id(path: Path) -> _FileId:
    status = path.stat()
    return status.st_dev, status.st_ino
