"""Which directories, apart from a log's own, may contain its rotated files."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from notifyd.sources.logs.discovery.symlink_trust import is_trusted_path

_LOGROTATE_CONFIG = (Path("/etc/logrotate.conf"), Path("/etc/logrotate.d"))
_OLDDIR = re.compile(r"^\s*olddir[\s=]+[\"']?([^\"'\s]+)", re.MULTILINE)
_MOST_DIRS = 200
"""How many directories are searched for one log, apart from known ones."""

ListSubdirectories = Callable[[str], list[str]]


def list_subdirectories(directory: str) -> list[str]:
    """Return the paths of the directories in a directory, none of them a link."""
    try:
        with os.scandir(directory) as entries:
            return sorted(entry.path for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []


class ArchiveDirs:
    """The directories in which rotated files were found, and logrotate's `olddir`.

    A directory that contains a log of the same name is left out: it has rotated files of that one.
    """

    def __init__(self, logrotate_config: Iterable[Path] = _LOGROTATE_CONFIG) -> None:
        self._found_dirs: dict[str, dict[str, None]] = {}
        self._olddirs = tuple(dict.fromkeys(_read_olddirs(logrotate_config)))

    def add(self, log: str, rotated: str) -> None:
        """Record that a log's rotated file was found at a path; an empty path is ignored."""
        own, found = os.path.dirname(log), os.path.dirname(rotated)  # noqa: PTH120 - strings
        if found and found != own:
            self._found_dirs.setdefault(own, {})[found] = None

    def known_dirs(self, log: str) -> list[str]:
        """List a log's own directory first, then those known to contain its rotated files."""
        own, name = os.path.split(log)
        olddirs = (os.path.normpath(os.path.join(own, olddir)) for olddir in self._olddirs)  # noqa: PTH118
        others = dict.fromkeys((*self._found_dirs.get(own, ()), *olddirs))
        for own_dir in (own_dirs := self._own_dirs(log)):
            others.pop(own_dir, None)
        return [*own_dirs, *_without_log(name, others)]

    def known_and_child_dirs(
        self, log: str, list_subdirectories: ListSubdirectories = list_subdirectories
    ) -> list[str]:
        """List the known directories and those inside the log's own, where olddir often is.

        list_subdirectories: a cached one saves a listing for each of many logs.
        """
        directories = dict.fromkeys(self.known_dirs(log))
        name = os.path.basename(log)  # noqa: PTH119
        for own in self._own_dirs(log):
            directories |= dict.fromkeys(_without_log(name, list_subdirectories(own)[:_MOST_DIRS]))
        return list(directories)

    def nearby_dirs(self, log: str) -> list[str]:
        """List the parent, sibling and child directories of the log's own."""
        directories: dict[str, None] = {}
        own_dirs = self._own_dirs(log)
        for own in own_dirs:
            parent = os.path.dirname(own)  # noqa: PTH120
            siblings = (parent, *list_subdirectories(parent)) if parent != "/" else ()
            directories |= dict.fromkeys((*list_subdirectories(own), *siblings))
        for own in own_dirs:
            directories.pop(own, None)
        name = os.path.basename(log)  # noqa: PTH119
        return _without_log(name, list(directories)[:_MOST_DIRS])

    def may_contain(self, log: str, directory: str) -> bool:
        """Whether a directory is known or nearby, by its path alone."""
        own = os.path.dirname(log)  # noqa: PTH120
        parent = os.path.dirname(own)  # noqa: PTH120
        is_near = directory == parent or os.path.dirname(directory) in {own, parent} - {"/"}  # noqa: PTH120
        return directory == own or (parent != "/" and is_near) or directory in self.known_dirs(log)

    def _own_dirs(self, log: str) -> list[str]:
        """List the directory of a log, and that of the file to which a trusted link leads."""
        paths = [log]
        with suppress(OSError):
            if os.geteuid() != 0 or is_trusted_path(log, os.stat(log)):  # noqa: PTH116 - strings
                paths.append(os.path.realpath(log))
        return list(dict.fromkeys(os.path.dirname(path) for path in paths))  # noqa: PTH120


def _without_log(name: str, directories: Iterable[str]) -> list[str]:
    """Leave out the directories that contain a log of this name."""
    return [each for each in directories if not os.path.lexists(f"{each}/{name}")]


def _read_olddirs(logrotate_config: Iterable[Path]) -> Iterator[str]:
    for path in logrotate_config:
        with suppress(OSError):
            for file in sorted(path.iterdir()) if path.is_dir() else [path]:
                with suppress(OSError):
                    yield from _OLDDIR.findall(file.read_text(errors="replace"))
