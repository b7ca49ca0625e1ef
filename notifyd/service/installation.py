"""The installation that the service runs: who can change it, and whether the service can read it.

Whoever can write there decides what runs as a service.
"""

import grp
import json
import os
import pwd
import stat
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import unquote, urlsplit

import notifyd
from notifyd.model.user import user_name
from notifyd.service.errors import ServiceError
from notifyd.sources.path_chains import follow_path

_DISTRIBUTION = "workspace-notifyd"


class Installation(NamedTuple):
    """command: the `notifyd` that the service executes. venv: its environment, if it has one."""

    command: Path
    interpreter: Path
    package: Path
    venv: Path | None

    @classmethod
    def current(cls) -> Self:
        """Return the one that runs. Raise ServiceError if it has no command."""
        folders = (Path(sysconfig.get_path("scripts")), Path(sys.prefix) / "bin")
        commands = [folder / "notifyd" for folder in folders if (folder / "notifyd").is_file()]
        if not commands:
            raise ServiceError(
                f"there is no {folders[0]}/notifyd for the service to run; {_way_out()}"
            )
        venv = Path(sys.prefix) if sys.prefix != sys.base_prefix else None
        return cls(commands[0], Path(sys.executable), Path(notifyd.__file__).parent, venv)

    def require_trusted(self) -> None:
        """Raise ServiceError unless everybody can read it and only root can change it."""
        for path in self._files():
            if reason := _why_untrusted(path):
                where = self.venv or self.command
                raise ServiceError(f"the service cannot run from {where}: {reason}; {_way_out()}")
        for path in self._files():
            if not _is_readable_by_all(path):
                is_inside = self.venv is not None and path.is_relative_to(self.venv)
                fix = f"run `chmod -R go+rX {self.venv}`" if is_inside else _way_out()
                raise ServiceError(f"the service's user cannot read {path}; {fix}")

    def _files(self) -> Iterator[Path]:
        """Yield what the service loads, and all directories and links on the way there."""
        for path in (self.command, self.interpreter, self.package):
            yield Path("/")
            yield from map(Path, follow_path(str(path.absolute())).entries)
        for folder in filter(None, (self.venv, self.package)):
            for parent, folders, files in os.walk(folder):
                yield Path(parent)
                yield from (Path(parent, name) for name in (*folders, *files))


def _why_untrusted(path: Path) -> str:
    """Return who besides root can change a file or directory; empty if nobody can."""
    try:
        found = path.lstat()
    except OSError as error:
        return f"{path}: {error.strerror}"
    if found.st_uid != 0:
        owner = user_name(found.st_uid)
        return f"{path} belongs to the user {owner}, who could change what runs there"
    if stat.S_ISLNK(found.st_mode):
        return ""
    if found.st_mode & stat.S_IWOTH:
        return f"everybody can write to {path}"
    if found.st_mode & stat.S_IWGRP and (members := _members(found.st_gid)):
        return f"the group {members} can write to {path}"
    return ""


def _is_readable_by_all(path: Path) -> bool:
    mode = path.lstat().st_mode
    if "__pycache__" in path.parts:
        return True  # what root alone reads there is compiled again
    if stat.S_ISDIR(mode):
        return bool(mode & stat.S_IXOTH)
    return bool(mode & stat.S_IROTH)


def _members(gid: int) -> str:
    """Return the name of a group if somebody besides root is in it; else nothing."""
    if gid == 0:
        return ""
    try:
        group = grp.getgrgid(gid)
    except KeyError:
        return str(gid)
    others = set(group.gr_mem) | {user.pw_name for user in pwd.getpwall() if user.pw_gid == gid}
    return group.gr_name if others - {"root"} else ""


def _way_out() -> str:
    return (
        "install notifyd where only root can write, as root:\n"
        "  python3 -m venv /opt/notifyd\n"
        f"  /opt/notifyd/bin/pip install {_origin()}\n"
        "  /opt/notifyd/bin/notifyd service install --now"
    )


def _origin() -> str:
    """Return what pip installed this from: a local path, or the name of the distribution."""
    try:
        text = distribution(_DISTRIBUTION).read_text("direct_url.json")
        url = urlsplit(json.loads(text or "{}").get("url", ""))
    except (PackageNotFoundError, ValueError):
        return _DISTRIBUTION
    return unquote(url.path) if url.scheme == "file" else _DISTRIBUTION
