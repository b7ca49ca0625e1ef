"""Finds the rotated files of logs: by inode if they were renamed, else by their names."""

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple

from notifyd.sources.logs.checkpoint import Checkpoint, FileId
from notifyd.sources.logs.discovery.access import (
    COMPRESSED_SUFFIXES,
    UnreadableFileError,
    stat_log,
)
from notifyd.sources.logs.discovery.archive_dirs import ArchiveDirs

_CACHED_NAMES = 10_000
_ROTATION_SUFFIX = re.compile(r"\d[\d._:T+-]*|(?:old|prev|bak|tmp)(?:[._-](?:old|prev|bak|\d+))*")
_DATE_PREFIX = re.compile(r"\d{4}[\d._:T+-]*[._-](?=[^\d._-])")
_TAI64N_NAME = re.compile(r"@[0-9a-f]{24}\.[su]|previous")
"""Names that multilog, s6-log and svlogd give to a log that is always named `current`."""


class RotatedFile(NamedTuple):
    path: str
    key: FileId
    status: os.stat_result


def find_renamed(
    missing: Mapping[FileId, Checkpoint], archive_dirs: ArchiveDirs
) -> Iterator[RotatedFile]:
    """Find files that are not at their paths any more, by inode.

    The caller must verify the content, as an inode number may belong to another file by now. An
    unread file is found only under a name that rotation gives. Files that were never found
    elsewhere are also searched for in nearby directories.
    """
    left = {key for key in missing if not key.catch_up_trigger}
    for dirs_of in (archive_dirs.known_dirs, archive_dirs.nearby_dirs):
        by_directory: dict[str, dict[int, FileId]] = {}
        for key in left:
            if dirs_of == archive_dirs.known_dirs or not missing[key].archived_path:
                for directory in dirs_of(missing[key].path):
                    by_directory.setdefault(directory, {})[key.inode] = key
        for directory, keys in by_directory.items():
            for name, inode in _list_directory(directory):
                if inode not in keys:
                    continue
                key = keys[inode]
                found = _stat_rotated(directory, name)
                if found is None or found.key != key:
                    continue
                left.discard(key)
                checkpoint = missing[key]
                log_name = os.path.basename(checkpoint.path)  # noqa: PTH119
                has_log_name = name == log_name or log_name in original_names(name)
                if checkpoint.tail_digest or has_log_name:
                    yield found


def find_rotated(
    logs: Collection[str], dirs_of: Callable[[str], Iterable[str]]
) -> dict[str, list[RotatedFile]]:
    """Find rotated files by name; return them by log, the one written to last first.

    dirs_of: returns the directories to search for a log. Logs without rotated files are left out.
    """
    found: dict[str, list[RotatedFile]] = {}
    for directory, names in _by_directory(logs, dirs_of).items():
        for name, _ in _list_directory(directory):
            for log_name in original_names(name) & names.keys():
                if rotated := _stat_rotated(directory, name):
                    for log in names[log_name]:
                        found.setdefault(log, []).append(rotated)
    for files in found.values():
        files.sort(key=lambda rotated: rotated.status.st_mtime_ns, reverse=True)
    return found


def find_compressed(
    logs: Collection[str], dirs_of: Callable[[str], Iterable[str]]
) -> dict[str, list[tuple[str, int]]]:
    """Find the compressed rotated files of logs, with their modification times in ns, by log.

    dirs_of: returns the directories to search for a log.
    """
    found: dict[str, list[tuple[str, int]]] = {}
    for directory, names in _by_directory(logs, dirs_of).items():
        for name, _ in _list_directory(directory):
            if not name.endswith(COMPRESSED_SUFFIXES):
                continue
            for log_name in original_names(name.rpartition(".")[0]) & names.keys():
                with suppress(OSError):
                    path = os.path.join(directory, name)  # noqa: PTH118 - strings throughout
                    file = path, os.stat(path).st_mtime_ns  # noqa: PTH116
                    for log in names[log_name]:
                        found.setdefault(log, []).append(file)
    return found


def _by_directory(
    logs: Collection[str], dirs_of: Callable[[str], Iterable[str]]
) -> dict[str, dict[str, list[str]]]:
    """Return, by directory to search and by name, the logs whose rotated files may be there."""
    by_directory: dict[str, dict[str, list[str]]] = {}
    for log in logs:
        for directory in dirs_of(log):
            names = by_directory.setdefault(directory, {})
            names.setdefault(os.path.basename(log), []).append(log)  # noqa: PTH119
    return by_directory


def rotated_file_at(path: str, key: FileId | None = None) -> RotatedFile | None:
    """Return the file at a path, if it has the device and inode of a key, when one is given."""
    found = _stat_rotated(*os.path.split(path))
    if found and key and found.key.identity != key.identity:
        return None
    return found


@lru_cache(_CACHED_NAMES)
def original_names(name: str) -> frozenset[str]:
    """Return the names of the logs whose rotated file may have this name.

    app.log.1, app.log-20240131, app-20240131.log, app__20240131.log and 20240131-app.log may all be
    rotated from app.log.
    """
    if _TAI64N_NAME.fullmatch(name):
        return frozenset({"current"})
    if name.endswith(COMPRESSED_SUFFIXES):
        return frozenset()
    stem, dot, extension = name.rpartition(".")
    names = {*_without_suffix(name), *(base + dot + extension for base in _without_suffix(stem))}
    if prefix := _DATE_PREFIX.match(name):
        names.add(name[prefix.end() :])
    return frozenset(names)


def possible_names(path: str) -> frozenset[str]:
    """Return the name of a file, and those that it may have had before rotation."""
    name = os.path.basename(path)  # noqa: PTH119
    return original_names(name) | {name}


def _without_suffix(name: str) -> Iterator[str]:
    """Iterate over the beginnings of a name that a rotation suffix follows."""
    for index, char in enumerate(name):
        if index and char in "._-" and _ROTATION_SUFFIX.fullmatch(name, index + 1):
            yield name[:index]
            if base := name[:index].rstrip("._-"):
                yield base


def _stat_rotated(directory: str, name: str) -> RotatedFile | None:
    path = os.path.join(directory, name)  # noqa: PTH118 - strings throughout
    with suppress(UnreadableFileError):
        if not name.endswith(COMPRESSED_SUFFIXES) and (status := stat_log(path)):
            return RotatedFile(path, FileId(status.st_dev, status.st_ino), status)
    return None


def _list_directory(directory: str) -> list[tuple[str, int]]:
    """Return names and inodes; nothing if the directory cannot be listed."""
    try:
        with os.scandir(directory) as entries:
            return [(entry.name, entry.inode()) for entry in entries]
    except OSError:
        return []
