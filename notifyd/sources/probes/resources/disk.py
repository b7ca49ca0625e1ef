"""The space and the inodes of a file system."""

import os
from pathlib import Path

from notifyd.config.resource_limits import ResourceValue
from notifyd.sources.probes.resources.measurement import (
    MeasureError,
    Measurement,
    format_bytes,
    format_percent,
    percent,
)


def measure_disk(path: Path) -> Measurement:
    """Measure as df does: what is kept for root alone is neither used nor free."""
    found = _statvfs(path)
    used = (found.f_blocks - found.f_bfree) * found.f_frsize
    free = found.f_bavail * found.f_frsize
    share = percent(used, used + free)
    text = f"{format_percent(share)} used, {format_bytes(free)} free"
    return Measurement(f"disk {path}", text, ResourceValue(share, used=used, free=free))


def measure_inodes(path: Path) -> Measurement:
    """Measure the inodes. Where their number is not fixed, as in btrfs, 0% are used."""
    found = _statvfs(path)
    used, free = found.f_files - found.f_ffree, found.f_favail
    share = percent(used, used + free)
    text = f"{format_percent(share)} used, {free:,} free"
    if not found.f_files:
        return Measurement(f"inodes {path}", "not limited", ResourceValue(0.0))
    return Measurement(f"inodes {path}", text, ResourceValue(share, used=used, free=free))


def _statvfs(path: Path) -> os.statvfs_result:
    try:
        return os.statvfs(path)
    except OSError as error:
        raise MeasureError(f"{path}: {error.strerror or error}") from None
