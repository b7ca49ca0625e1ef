"""What one look at a path tells."""

import contextlib
import json
import os
import stat
from collections.abc import Iterable
from typing import Final, NamedTuple, Self

from notifyd.sources.stored_values import StoredFields, decode_json

_ROW: Final = ("size", "mtime_ns", "inode")
"""The items of a stored mark."""


class FileMark(NamedTuple):
    """What tells one state of a file from another; a directory's is its inode alone."""

    size: int
    mtime_ns: int
    inode: int

    def encode(self) -> str:
        return json.dumps([self.size, self.mtime_ns, self.inode], separators=(",", ":"))

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
    """What was seen at a path. folder: something may lie in it."""

    path: str
    mark: FileMark | None
    folder: bool


def look(path: str) -> FileMark | None:
    """Look at one path; None if nothing is there, OSError if that cannot be known."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISDIR(found.st_mode):
        return FileMark(0, 0, found.st_ino)
    return FileMark(found.st_size, found.st_mtime_ns, found.st_ino)


def looks(paths: Iterable[str]) -> list[StatResult]:
    """Look at several paths. Blocking; what cannot be known is left out."""
    seen = []
    for path in paths:
        with contextlib.suppress(OSError):
            seen.append(StatResult(path, look(path), os.path.isdir(path)))  # noqa: PTH112 - the same
    return seen


def printable(path: str) -> str:
    r"""Write bytes of a name that are no UTF-8 as \udcXX, so that any store can hold it."""
    return path.encode("utf-8", "backslashreplace").decode()
