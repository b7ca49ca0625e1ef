"""Rotated files of a log: what was renamed or copied, by inode and by the way it is named."""

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple

from notifyd.sources.logs.checkpoint import Checkpoint, FileId
from notifyd.sources.logs.discovery.access import COMPRESSED_SUFFIXES, UnreadableFileError, stat_log
from notifyd.sources.logs.discovery.archive_dirs import ArchiveDirs

_NAMES = 10_000
_NUMBER = re.compile(r"\d[\d._:T+-]*|old|prev|bak|tmp")


class RotatedFile(NamedTuple):
    path: str
    key: FileId
    status: os.stat_result


def find_renamed(lost: Mapping[FileId, Checkpoint], archives: ArchiveDirs) -> Iterator[RotatedFile]:
    """Find files whose names are gone; the caller checks their content.

    One of which nothing was read yet can only be told by a name that is like its own. Where it was
    not seen in another place yet, a file is looked for in all folders around.
    """
    left = {key for key in lost if not key.catch_up_trigger}
    for places in (archives.known_dirs, archives.nearby_dirs):
        by_folder: dict[str, dict[int, FileId]] = {}
        for key in left:
            if places == archives.known_dirs or not lost[key].archived_path:
                for folder in places(lost[key].path):
                    by_folder.setdefault(folder, {})[key.inode] = key
        for folder, keys in by_folder.items():
            for name, inode in _listed(folder):
                if inode not in keys:
                    continue
                key = keys[inode]
                found = _sibling(folder, name)
                if found is None or found.key != key:
                    continue
                left.discard(key)
                position = lost[key]
                base = os.path.basename(position.path)  # noqa: PTH119
                if position.tail_digest or name == base or base in original_names(name):
                    yield found


def find_rotated(
    paths: Collection[str], places: Callable[[str], Iterable[str]]
) -> dict[str, list[RotatedFile]]:
    """List by log its rotated files, the latest written first; only where there are.

    places: the folders to look in for those of a log.
    """
    found: dict[str, list[RotatedFile]] = {}
    by_folder: dict[str, dict[str, list[str]]] = {}
    for path in paths:
        for folder in places(path):
            names = by_folder.setdefault(folder, {})
            names.setdefault(os.path.basename(path), []).append(path)  # noqa: PTH119
    for folder, names in by_folder.items():
        for name, _ in _listed(folder):
            for base in original_names(name) & names.keys():
                if sibling := _sibling(folder, name):
                    for path in names[base]:
                        found.setdefault(path, []).append(sibling)
    for siblings in found.values():
        siblings.sort(key=lambda sibling: sibling.status.st_mtime_ns, reverse=True)
    return found


@lru_cache(_NAMES)
def original_names(name: str) -> frozenset[str]:
    """List what a log may be called that rotating tools would rename so.

    app.log.1, app.log-20240131 and app-20240131.log all come of app.log.
    """
    if name.endswith(COMPRESSED_SUFFIXES):
        return frozenset()
    stem, dot, ending = name.rpartition(".")
    return frozenset({*_unnumbered(name), *(base + dot + ending for base in _unnumbered(stem))})


def rotated_file_at(path: str, key: FileId) -> RotatedFile | None:
    """Look whether a file is at a place."""
    found = _sibling(*os.path.split(path))
    return found if found and found.key.identity == key.identity else None


def possible_names(path: str) -> frozenset[str]:
    """List what a file is called and may have been called before rotation."""
    name = os.path.basename(path)  # noqa: PTH119
    return original_names(name) | {name}


def _unnumbered(name: str) -> Iterator[str]:
    for place, sign in enumerate(name):
        if place and sign in "._-" and _NUMBER.fullmatch(name, place + 1):
            yield name[:place]


def _sibling(folder: str, name: str) -> RotatedFile | None:
    path = os.path.join(folder, name)  # noqa: PTH118 - strings throughout
    with suppress(UnreadableFileError):
        if not name.endswith(COMPRESSED_SUFFIXES) and (status := stat_log(path)):
            return RotatedFile(path, FileId(status.st_dev, status.st_ino), status)
    return None


def _listed(folder: str) -> list[tuple[str, int]]:
    try:
        with os.scandir(folder) as entries:
            return [(entry.name, entry.inode()) for entry in entries]
    except OSError:
        return []
