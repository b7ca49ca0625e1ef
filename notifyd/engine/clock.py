"""The two clocks: monotonic time that continues over restarts and reboots, and wall time."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from notifyd.model.events import Now

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_LATEST = 1e12
"""Seconds: a stored time beyond this, some 30,000 years, is damaged."""


def boot_id() -> str:
    return _BOOT_ID.read_text().strip()


@dataclass(frozen=True, slots=True)
class _StoredReading:
    """One reading of the clocks, as each commit stores it.

    boot: the kernel's boot id. monotonic: the system's monotonic clock. mono, wall: as in `Now`.
    """

    boot: str
    monotonic: float
    mono: float
    wall: float

    @classmethod
    def parse(cls, text: str | None) -> Self | None:
        """Read the JSON of a reading, ignoring unknown keys; None if it is absent or damaged."""
        try:
            stored = json.loads(text or "")
            boot, *times = (stored[name] for name in ("boot", "monotonic", "mono", "wall"))
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
        if not isinstance(boot, str) or not boot or not all(map(_is_time, times)):
            return None
        return cls(boot, *times)

    def to_json(self) -> str:
        return json.dumps(
            {
                "boot": self.boot,
                "monotonic": self.monotonic,
                "mono": self.mono,
                "wall": self.wall,
            }
        )


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) <= _LATEST


def boot_time(wall: float) -> float:
    """Return the wall-clock time at which the machine was booted, from the present one."""
    return wall - time.clock_gettime(time.CLOCK_BOOTTIME)


class Clock:
    """Reads `Now`. `Now.mono` continues from the reading that the last process stored.

    Within one boot the time since that reading is known exactly. After a reboot the wall clock
    measures it; a wall clock that went backwards counts as no time.
    """

    def __init__(
        self,
        stored: str | None,
        *,
        boot: str,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._boot, self._monotonic, self._wall = boot, monotonic, wall
        self.off_for = 0.0
        """Seconds between the stored reading and the start, if the machine was booted between."""
        self._offset = 0.0
        """What to add to the system's monotonic clock."""
        last = _StoredReading.parse(stored)
        if last is None:
            return
        if last.boot == boot and last.monotonic <= monotonic():
            self._offset = last.mono - last.monotonic
        else:
            self.off_for = max(0.0, wall() - last.wall)
            self._offset = last.mono + self.off_for - monotonic()

    def advance_to(self, mono: float) -> None:
        """Move `Now.mono` forward to at least this time, for when the stored reading is lost."""
        self._offset += max(0.0, mono - self.now().mono)

    def now(self) -> Now:
        return Now(self._monotonic() + self._offset, self._wall())

    def serialize(self, now: Now) -> str:
        """Return the JSON from which the next process's clock continues."""
        return _StoredReading(self._boot, now.mono - self._offset, now.mono, now.wall).to_json()
