"""A file of an agent's settings: read with bounds, written atomically, with a backup beside it."""

import os
import stat
from contextlib import suppress
from pathlib import Path

from notifyd.config.files import open_nonblocking, replace_file
from notifyd.model.errors import NotifydError
from notifyd.model.user import user_name

_LARGEST = 8 << 20
_BACKUP = ".notifyd-backup"
_NEW_MODE = 0o600
_MOST_LINKS = 40
"""As many as the kernel follows."""


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
            self._refuse_foreign_links()
            with open(self.path, "rb", opener=open_nonblocking) as stream:
                if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                    raise AgentSettingsError(
                        f"{self.path} is not a regular file; nothing was changed"
                    )
                content = stream.read(_LARGEST + 1)
            if len(content) > _LARGEST:
                raise AgentSettingsError(
                    f"{self.path} has more than {_LARGEST >> 20} MiB; nothing was changed"
                )
            return content.decode()
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
            former = self.read()
            if former is None:
                _make_folders(real.parent)
                replace_file(real, content, _NEW_MODE, keeps_owner=True)
                return
            mode = stat.S_IMODE(real.stat().st_mode)
            if keeps_backup:
                replace_file(self.backup, former, mode, keeps_owner=True)
            replace_file(real, content, mode, keeps_owner=True)
        except OSError as error:
            raise self._failure("write", error) from None

    def _refuse_foreign_links(self) -> None:
        """Raise AgentSettingsError if root would follow a link of one user to another's file.

        Others could have root write files that only root may change.
        """
        if os.geteuid() != 0:
            return
        path = self.path
        for _ in range(_MOST_LINKS):
            try:
                link = path.lstat()
            except (FileNotFoundError, NotADirectoryError):
                return
            if not stat.S_ISLNK(link.st_mode):
                return
            path = path.parent / path.readlink()
            if link.st_uid not in (0, _owner(path)):
                user = user_name(link.st_uid)
                raise AgentSettingsError(
                    f"{self.path} is a link that user {user} made to a path of another user, and "
                    f"root does not follow it; run `notifyd hook` as {user}, nothing was changed"
                )

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


def _owner(path: Path) -> int:
    """Return who owns a file, or else the nearest directory above that exists."""
    while True:
        try:
            return path.lstat().st_uid
        except (FileNotFoundError, NotADirectoryError):
            path = path.parent


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
            os.chown(created, owner.st_uid, owner.st_gid, follow_symlinks=False)
