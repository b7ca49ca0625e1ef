"""Where the database stands: notices when its folder, itself or the lock was taken away."""

import os
from pathlib import Path

from notifyd.model.errors import InUseError, StoreError, StoreUnavailableError
from notifyd.outbox.lock import lock_folder

Identity = tuple[int, int]
"""Device and inode."""


class DatabaseFile:
    """The folder is locked from here on: InUseError names the pid of who holds it already."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "notifyd.db"
        self._lock = lock_folder(folder)
        self._database: Identity | None = None

    def remember(self) -> None:
        """Take the database that stands there now for ours."""
        self._database = _identity(self.path)

    def lost(self) -> bool:
        """Whether our database no longer stands at its path; what is open of it is still whole."""
        try:
            return _identity(self.path) != self._database
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False  # it cannot be looked at, which says nothing of what is open

    def hold(self) -> None:
        """Lock the folder anew where the lock is gone; StoreUnavailableError if it cannot be."""
        lock = self.folder / "lock"
        try:
            held = os.fstat(self._lock)
            if _identity(lock) == (held.st_dev, held.st_ino):
                return
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError:
            return
        try:
            taken = lock_folder(self.folder)
        except (InUseError, StoreError) as error:
            raise StoreUnavailableError(str(error)) from error
        os.close(self._lock)
        self._lock = taken

    def close(self) -> None:
        os.close(self._lock)


def _identity(path: Path) -> Identity:
    found = path.stat()
    return found.st_dev, found.st_ino
