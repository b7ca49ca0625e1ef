"""Files that were renamed while nobody watched: the same inode, still in the same directory."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress

from notifyd.sources.gate import COMPRESSED, ClosedGateError, examined
from notifyd.sources.position import Key, Position


def renamed(lost: Mapping[Key, Position]) -> Iterator[tuple[str, Key, os.stat_result]]:
    """Find where files whose names are gone may be; whether they are the same is not checked.

    One of which nothing was read yet can only be told by a name that begins like its own.
    """
    by_folder: dict[str, dict[int, Key]] = {}
    for key, position in lost.items():
        if not key.lane:
            by_folder.setdefault(os.path.dirname(position.path), {})[key.inode] = key  # noqa: PTH120
    for folder, keys in by_folder.items():
        for name, inode in _listed(folder):
            if inode not in keys or name.endswith(COMPRESSED):
                continue
            key = keys[inode]
            position = lost[key]
            stem = os.path.basename(position.path).partition(".")[0]  # noqa: PTH119
            if position.check or name.startswith(stem):
                path = os.path.join(folder, name)  # noqa: PTH118
                with suppress(ClosedGateError):
                    status = examined(path)
                    if status and Key(status.st_dev, status.st_ino) == key:
                        yield path, key, status


def _listed(folder: str) -> list[tuple[str, int]]:
    try:
        with os.scandir(folder) as entries:
            return [(entry.name, entry.inode()) for entry in entries]
    except OSError:
        return []
