"""Where rotated files may lie, when they do not lie beside their log."""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from notifyd.sources.logs.discovery.symlink_trust import is_trusted_path

_ROTATION = (Path("/etc/logrotate.conf"), Path("/etc/logrotate.d"))
_OLDDIR = re.compile(r"^\s*olddir[\s=]+[\"']?([^\"'\s]+)", re.MULTILINE)
_MOST = 200
"""Folders that are looked through around one log."""


class ArchiveDirs:
    """By folder of logs the folders in which its rotated files were met, or should be.

    rotation: where logrotate is configured, files or folders of files.
    """

    def __init__(self, rotation: Iterable[Path] = _ROTATION) -> None:
        self._met: dict[str, dict[str, None]] = {}
        self._olddirs = tuple(dict.fromkeys(_olddirs(rotation)))

    def add(self, path: str, place: str) -> None:
        """Remember that a log's rotated file lies at a place."""
        own, folder = os.path.dirname(path), os.path.dirname(place)  # noqa: PTH120 - strings
        if folder and folder != own:
            self._met.setdefault(own, {})[folder] = None

    def known_dirs(self, path: str) -> list[str]:
        """List the folders for a log, its own first, that are known to be for its rotated files."""
        own, name = os.path.split(path)
        named = (os.path.normpath(os.path.join(own, olddir)) for olddir in self._olddirs)  # noqa: PTH118
        folders = dict.fromkeys((*self._met.get(own, ()), *named))
        for beside in (beside_it := self._own(path)):
            folders.pop(beside, None)
        return [*beside_it, *_without(name, folders)]

    def may_contain(self, path: str, folder: str) -> bool:
        """Whether a folder may hold a log's rotated files."""
        own = os.path.dirname(path)  # noqa: PTH120
        above = os.path.dirname(own)  # noqa: PTH120
        beside = folder == above or os.path.dirname(folder) in {own, above} - {"/"}  # noqa: PTH120
        return folder == own or (above != "/" and beside) or folder in self.known_dirs(path)

    def known_and_child_dirs(self, path: str) -> list[str]:
        """List the folders for a log with those in its own folder, where olddir often leads."""
        folders = dict.fromkeys(self.known_dirs(path))
        name = os.path.basename(path)  # noqa: PTH119
        for own in self._own(path):
            folders |= dict.fromkeys(_without(name, _folders(own)[:_MOST]))
        return list(folders)

    def nearby_dirs(self, path: str) -> list[str]:
        """List the folders one level around a log: those below, above and beside its own."""
        folders: dict[str, None] = {}
        for own in self._own(path):
            above = os.path.dirname(own)  # noqa: PTH120
            further = (above, *_folders(above)) if above != "/" else ()
            folders |= dict.fromkeys((*_folders(own), *further))
        for own in self._own(path):
            folders.pop(own, None)
        return _without(os.path.basename(path), list(folders)[:_MOST])  # noqa: PTH119

    def _own(self, path: str) -> list[str]:
        """List the folder of a log, and the one in which it lies if it is a link to be trusted."""
        places = [path]
        with suppress(OSError):
            if os.geteuid() != 0 or is_trusted_path(path, os.stat(path)):  # noqa: PTH116 - strings
                places.append(os.path.realpath(path))
        return list(dict.fromkeys(os.path.dirname(place) for place in places))  # noqa: PTH120


def _without(name: str, folders: Iterable[str]) -> list[str]:
    """Leave out what holds a log of the same name: it is for that one's rotated files."""
    return [folder for folder in folders if not os.path.lexists(f"{folder}/{name}")]


def _folders(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.path for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []


def _olddirs(rotation: Iterable[Path]) -> Iterator[str]:
    for path in rotation:
        with suppress(OSError):
            for file in sorted(path.iterdir()) if path.is_dir() else [path]:
                with suppress(OSError):
                    yield from _OLDDIR.findall(file.read_text(errors="replace"))
