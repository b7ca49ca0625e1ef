"""Setting a damaged or foreign database aside, whole: with its -wal and -shm, under one name.

What takes its place is first made complete under a name of its own (`ready`). From then on a kill
at any moment leaves what `install` can finish at the next start.
"""

import os
import time
from pathlib import Path

KEPT = 3
"""How many databases that were set aside are kept; older ones are deleted."""

_TAILS = ("", "-wal", "-shm")


def ready(path: Path) -> Path:
    """Name the complete database that is about to take the place of this one."""
    return path.with_name(path.name + ".ready")


def quarantine_path(path: Path, wall: float) -> Path:
    """Name the place for a database that is set aside at this time, wall-clock seconds."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(wall))
    return path.with_name(f"{path.name}.damaged-{stamp}")


def free_second(path: Path, wall: float) -> float:
    """Find the first whole second, from this one on, under which nothing is set aside yet."""
    second = float(int(wall))
    while quarantine_path(path, second).exists():
        second += 1
    return second


def swap_in(path: Path) -> None:
    """Set aside what stands at `path` and put there what is ready; does nothing if nothing is."""
    new = ready(path)
    if not new.exists():
        return
    place = quarantine_path(path, new.stat().st_mtime)
    for tail in _TAILS:
        old = path.with_name(path.name + tail)
        if old.exists():
            old.rename(place.with_name(place.name + tail))
    new.rename(path)
    synced(path.parent)
    _forget_oldest(path)


def synced(place: Path) -> None:
    """Make sure that a file, or the names in a folder, are on the disk."""
    handle = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _forget_oldest(path: Path) -> None:
    kept = [name for name in path.parent.glob(f"{path.name}.damaged-*") if "-wal" not in name.name]
    bases = sorted(name for name in kept if not name.name.endswith("-shm"))
    for base in bases[:-KEPT]:
        for tail in _TAILS:
            base.with_name(base.name + tail).unlink(missing_ok=True)
