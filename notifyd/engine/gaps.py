"""Detects gaps, in which the wall clock advances and monotonic time does not, when they end.

A suspended machine, a paused virtual machine and a clock that was set forward look alike and are
treated alike; only the time spent in suspend says which it was.
"""

import asyncio
import ctypes
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from notifyd.model.events import Now
from notifyd.shaping.state import CLOCK_JUMP

_TIMER_FLAGS: Final = os.O_CLOEXEC | os.O_NONBLOCK
_ABSOLUTE, _CANCEL_ON_SET = 1, 2
_FAR_FUTURE: Final = 32_503_680_000
"""Seconds: the year 3000."""

LONGEST_DELAY = 10.0
"""Seconds that a wait may take longer than planned. Clients give up an unanswered request then."""


def is_stalled(before: Now, interval: float, now: Now) -> bool:
    """Return whether a wait of `interval` seconds took so long that the process did not run."""
    return now.mono - before.mono > interval + LONGEST_DELAY


class GapKind(StrEnum):
    SUSPEND = "suspend"
    CLOCK = "clock"
    """The clock was set forward, or a virtual machine was paused."""


@dataclass(frozen=True, slots=True)
class Gap:
    """seconds: how long it was. ended: when it was noticed, in seconds since the epoch."""

    kind: GapKind
    seconds: float
    ended: float


class GapDetector:
    """Compares successive readings of the clocks.

    suspended: returns the seconds that the machine has spent in suspend since it was booted.
    """

    def __init__(self, now: Now, suspended: Callable[[], float]) -> None:
        self._read_suspended = suspended
        self._offset, self._suspended = now.wall - now.mono, suspended()

    def observe(self, now: Now) -> Gap | None:
        """Return the gap between the last reading and this one, if there is one."""
        offset, suspended = now.wall - now.mono, self._read_suspended()
        forward, slept = offset - self._offset, suspended - self._suspended
        self._offset, self._suspended = offset, suspended
        if forward <= CLOCK_JUMP:
            return None
        if slept > CLOCK_JUMP:
            return Gap(GapKind.SUSPEND, slept, now.wall)
        return Gap(GapKind.CLOCK, forward, now.wall)


def suspended_seconds() -> float:
    """Return how long this machine has been suspended since it was booted, in seconds."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()


class ClockWatch:
    """Wakes a waiting task when the wall clock is set or the machine is resumed.

    Without a timer of the kernel that reports it, only the time limit of a wait ends it.
    """

    def __init__(self) -> None:
        self._descriptor = -1
        self._changed = asyncio.Event()

    def __enter__(self) -> Self:
        with suppress(OSError, AttributeError):  # no such timer: the time limit remains
            self._descriptor = _open_cancelled_timer()
            asyncio.get_running_loop().add_reader(self._descriptor, self._notice)
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor >= 0:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)

    async def wait(self, seconds: float) -> None:
        """Wait until the clock was set, or the machine resumed, at most this long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        self._changed.clear()

    def _notice(self) -> None:
        with suppress(OSError):  # ECANCELED is what the kernel says of a clock that was set
            os.read(self._descriptor, 8)
        self._changed.set()


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


def _open_cancelled_timer() -> int:
    """Open a timer that the kernel cancels whenever the wall clock jumps. See timerfd_create(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor: int = libc.timerfd_create(time.CLOCK_REALTIME, _TIMER_FLAGS)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "timerfd_create")
    spec = _TimerSpec(_Timespec(0, 0), _Timespec(_FAR_FUTURE, 0))
    flags = _ABSOLUTE | _CANCEL_ON_SET
    if libc.timerfd_settime(descriptor, flags, ctypes.byref(spec), None) < 0:
        number = ctypes.get_errno()
        os.close(descriptor)
        raise OSError(number, "timerfd_settime")
    return descriptor
