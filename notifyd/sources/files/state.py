"""The state of a file as one lstat shows it, and its stored form."""

import contextlib
import os
import stat
from collections.abc import Iterable
from typing import Final, NamedTuple, Self

from notifyd.sources.files.write_access import is_open_for_writing
from notifyd.sources.stored_values import StoredFields, decode_json

_ROW: Final = ("size", "mtime_ns", "inode")
"""The items of a stored state."""


class FileState(NamedTuple):
    """A file is modified if this changes; of a directory only the inode is set."""

    size: int
    mtime_ns: int
    inode: int

    @property
    def is_directory(self) -> bool:
        return not self.mtime_ns and not self.size

    def encode(self) -> str:
        return f"[{self.size},{self.mtime_ns},{self.inode}]"

    @classmethod
    def decode(cls, text: str) -> Self:
        """Decode what `encode` returned; CheckpointValueError for anything else."""
        fields = StoredFields.of_row(decode_json(text), _ROW)
        lowest = -(1 << 63)  # a file may be older than the epoch
        return cls(
            fields.integer("size"),
            fields.integer("mtime_ns", least=lowest),
            fields.integer("inode"),
        )


class StatResult(NamedTuple):
    """state: None if nothing is at the path. is_dir: it is a directory, or a link to one."""

    path: str
    state: FileState | None
    is_dir: bool


def read_state(path: str) -> FileState | None:
    """Return the state of a path; None if nothing is there. Blocking; OSError if unknown."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISDIR(found.st_mode):
        return FileState(0, 0, found.st_ino)
    # Zeros mean a directory, so an empty file from the epoch counts as one nanosecond younger.
    return FileState(found.st_size, found.st_mtime_ns or 1, found.st_ino)


def stat_paths(paths: Iterable[str]) -> list[StatResult]:
    """Return the state of several paths, without those whose state is unknown. Blocking."""
    results = []
    for path in paths:
        with contextlib.suppress(OSError):
            results.append(StatResult(path, read_state(path), os.path.isdir(path)))  # noqa: PTH112 - strings are faster
    return results


def open_paths(paths: Iterable[str]) -> set[str]:
    """Return the files that somebody has open for writing. Blocking."""
    return set(filter(is_open_for_writing, paths))
