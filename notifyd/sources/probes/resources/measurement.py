"""What a measurement returns, and the files of the kernel from which most are made."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from notifyd.config.resource_limits import ResourceValue


class MeasureError(Exception):
    """A resource cannot be measured. The message is one sentence."""


class Measurement(NamedTuple):
    """name: what was measured, such as "disk /". text: its values, such as "96% used"."""

    name: str
    text: str
    value: ResourceValue


Measure = Callable[[], Measurement]
"""Measures one resource; MeasureError if that is not possible. Blocking."""


class KernelFiles:
    """Reads /proc and /sys/fs/cgroup below a root. Values are as of each call."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.proc = root / "proc"
        self.cgroup = root / "sys/fs/cgroup"
        self.kernel_log = root / "dev/kmsg"


def read_text(path: Path) -> str | None:
    """Return the content of a small file of the kernel; None if it cannot be read."""
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return None


def read_number(path: Path) -> int | None:
    """Return a file's only number; None for anything else, such as "max"."""
    text = (read_text(path) or "").strip()
    return int(text) if text.isdecimal() and text.isascii() else None


def read_table(path: Path, separator: str | None = None) -> dict[str, int]:
    """Return the first number of each line by the name before it; empty if there is none.

    separator: behind the name; None for blanks.
    """
    table = {}
    for line in (read_text(path) or "").splitlines():
        name, _, rest = line.partition(separator or " ")
        number = rest.split()[0] if rest.split() else ""
        if number.isdecimal():
            table[name] = int(number)
    return table


def format_bytes(number: float) -> str:
    """Format bytes as "3.1 GiB", "640 MiB" or "12 KiB"."""
    value, unit = float(number), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1000:  # noqa: PLR2004 - at most three digits before the point
            break
        value, unit = value / 1024, larger
    tenths = unit in ("GiB", "TiB") and value < 100  # noqa: PLR2004 - three digits say enough
    return f"{value:.1f} {unit}" if tenths else f"{value:.0f} {unit}"


def percent(part: float, whole: float) -> float:
    return 100 * part / whole if whole > 0 else 0.0


def format_percent(value: float) -> str:
    """Format without rounding up: what is below a limit never looks as if it had reached it."""
    return f"{int(value)}%"


def available_cpus() -> int:
    return len(os.sched_getaffinity(0))
