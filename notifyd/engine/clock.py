"""The two clocks, and the line of monotonic time that goes on over restarts and reboots."""

import json
import time
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Any

from notifyd.model.events import Now

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    return _BOOT_ID.read_text().strip()


class Clock:
    """Reads `Now`. `mono` continues from the reading that was saved last.

    Within one boot the time that passed is known exactly; over a reboot the wall clock has to
    tell it, and one that went backwards counts as no time at all.
    """

    def __init__(
        self,
        saved: str | None,
        *,
        boot: str,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._boot, self._monotonic, self._wall = boot, monotonic, wall
        self._offset = 0.0
        before = _reading(saved)
        if before is None:
            return
        if before["boot"] == boot and before["monotonic"] <= monotonic():
            self._offset = before["mono"] - before["monotonic"]
        else:
            elapsed = max(0.0, wall() - before["wall"])
            self._offset = before["mono"] + elapsed - monotonic()

    def forward(self, mono: float) -> None:
        """Go on from this time at the earliest, where the reading that was saved is lost."""
        self._offset += max(0.0, mono - self.now().mono)

    def now(self) -> Now:
        return Now(self._monotonic() + self._offset, self._wall())

    def saved(self, now: Now) -> str:
        """Write a reading down for the constructor of the next process."""
        return json.dumps(
            {
                "boot": self._boot,
                "monotonic": now.mono - self._offset,
                "mono": now.mono,
                "wall": now.wall,
            }
        )


def _reading(saved: str | None) -> dict[str, Any] | None:
    """Read it back; None where there is none, or a damaged one: then time begins anew."""
    try:
        before = json.loads(saved or "")
        sound = all(isfinite(before[name]) for name in ("monotonic", "mono", "wall"))
        return before if sound and before["boot"] else None
    except (ValueError, TypeError, KeyError):
        return None
