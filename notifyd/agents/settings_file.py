"""A file of an agent's settings: read with bounds, written atomically, with a backup beside it."""

import os
import stat
from contextlib import suppress
from pathlib import Path

from notifyd.config.files import replace_file
from notifyd.model.errors import NotifydError

_LARGEST = 8 << 20
_BACKUP = ".notifyd-backup"
_NEW_MODE = 0o600


class AgentSettingsError(NotifydError):
    """The settings of an agent cannot be read or changed."""


class SettingsFile:
    """The file at a path, which may be a symbolic link and may not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def backup(self) -> Path:
        """Where the content before the last change is kept: beside the file itself."""
        real = self._real()
        return real.with_name(real.name + _BACKUP)

    def read(self) -> str | None:
        """Return the content; None if there is no file. AgentSettingsError if it is unreadable."""
        try:
            found = self.path.stat()
            if not stat.S_ISREG(found.st_mode):
                raise AgentSettingsError(f"{self.path} is no regular file; nothing was changed")
            if found.st_size > _LARGEST:
                raise AgentSettingsError(
                    f"{self.path} has more than {_LARGEST >> 20} MiB; nothing was changed"
                )
            return self.path.read_bytes().decode()
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            raise AgentSettingsError(
                f"{self.path} is not written in UTF-8; convert it, nothing was changed"
            ) from None
        except OSError as error:
            raise self._failure("read", error) from None

    def write(self, content: str, *, keeps_backup: bool = True) -> None:
        """Replace the content, and keep the former one as a backup. Mode and owner stay."""
        real = self._real()
        try:
            _make_folders(real.parent)
            try:
                found = real.stat()
            except FileNotFoundError:
                self._replace(real, content, _NEW_MODE, real.parent.stat())
                return
            mode = stat.S_IMODE(found.st_mode)
            if keeps_backup:
                self._replace(self.backup, real.read_bytes().decode(), mode, found)
            self._replace(real, content, mode, found)
        except OSError as error:
            raise self._failure("write", error) from None

    @staticmethod
    def _replace(path: Path, content: str, mode: int, owner: os.stat_result) -> None:
        replace_file(path, content, mode)
        if os.geteuid() == 0:
            os.chown(path, owner.st_uid, owner.st_gid)

    def delete(self) -> None:
        """Remove the file, and its directory if that is empty then."""
        try:
            self.path.unlink()
        except OSError as error:
            raise self._failure("remove", error) from None
        with suppress(OSError):
            self.path.parent.rmdir()

    def _real(self) -> Path:
        return Path(os.path.realpath(self.path))

    def _failure(self, verb: str, error: OSError) -> AgentSettingsError:
        return AgentSettingsError(f"cannot {verb} {self.path}: {error.strerror}")


def _make_folders(folder: Path) -> None:
    """Create a directory and those above it, with the owner of the one that exists."""
    missing = []
    above = folder
    while not above.exists():
        missing.append(above)
        above = above.parent
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    if os.geteuid() == 0:
        owner = above.stat()
        for created in missing:
            os.chown(created, owner.st_uid, owner.st_gid)
