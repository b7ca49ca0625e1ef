"""Moving a damaged or foreign database aside, with its -wal and -shm, and replacing it.

The replacement is first completed under a name of its own (`replacement_path`). From then on,
`swap_in` finishes the exchange at the next start if a kill interrupts it at any moment.
"""

import os
import time
from pathlib import Path

MAX_KEPT = 3
"""Quarantined databases that are kept; older ones are deleted."""

_SUFFIXES = ("", "-wal", "-shm")


def replacement_path(path: Path) -> Path:
    """Return where the complete replacement of this database waits for `swap_in`."""
    return path.with_name(path.name + ".ready")


def quarantine_path(path: Path, wall: float) -> Path:
    """Return where this database goes when it is moved aside at this wall-clock time."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(wall))
    return path.with_name(f"{path.name}.damaged-{stamp}")


def unused_second(path: Path, wall: float) -> float:
    """Return the first whole second from `wall` on whose quarantine path is free."""
    second = float(int(wall))
    while quarantine_path(path, second).exists():
        second += 1
    return second


def swap_in(path: Path) -> None:
    """Quarantine the database and move its replacement to `path`; do nothing if there is none.

    The modification time of the replacement determines the quarantine path.
    """
    replacement = replacement_path(path)
    if not replacement.exists():
        return
    quarantine = quarantine_path(path, replacement.stat().st_mtime)
    for suffix in _SUFFIXES:
        old = path.with_name(path.name + suffix)
        if old.exists():
            old.rename(quarantine.with_name(quarantine.name + suffix))
    replacement.rename(path)
    fsync(path.parent)
    _delete_oldest(path)


def fsync(path: Path) -> None:
    """Flush a file, or the names in a directory, to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _delete_oldest(path: Path) -> None:
    found = path.parent.glob(f"{path.name}.damaged-*")
    databases = sorted(each for each in found if not each.name.endswith(_SUFFIXES[1:]))
    for database in databases[:-MAX_KEPT]:
        for suffix in _SUFFIXES:
            database.with_name(database.name + suffix).unlink(missing_ok=True)
