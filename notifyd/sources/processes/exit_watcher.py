"""The end of processes that are not our children, told by the kernel without polling."""

import fcntl
import select
import struct
from typing import NamedTuple

from notifyd.sources.processes import procfs

GRACE = 0.05
"""Seconds that a zombie may wait for its parent before its end is told as it is seen."""
PATIENCE = 10.0
"""The same where we may not see its status, and hope to learn it when it is reaped."""
_GET_INFO = 0xC000FF0B | 64 << 16
"""PIDFD_GET_INFO with the first 64 bytes of struct pidfd_info (linux/pidfd.h)."""
_EXIT = 1 << 3
"""PIDFD_INFO_EXIT, since Linux 6.15."""


class _Zombie(NamedTuple):
    status: int | None
    deadline: float


def exit_status(pidfd: int) -> int | None:
    """Give the wait status of a process that was reaped; None if the kernel does not tell."""
    info = bytearray(64)
    struct.pack_into("=Q", info, 0, _EXIT)
    try:
        fcntl.ioctl(pidfd, _GET_INFO, info)
    except OSError:
        return None
    mask, status = struct.unpack_from("=Q52xi", info)
    return status if mask & _EXIT else None


class ExitWatcher:
    """Watches any number of pidfds through one descriptor, which is readable when one has news.

    A pidfd becomes readable when its process turns into a zombie and hangs up when that is
    reaped; only then does the kernel tell the status. But a parent may put that off for ever, and
    older kernels show the status of zombies alone: so a zombie is looked at when it is one, and
    told as ended after a while if nobody has reaped it.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._pids: dict[int, int] = {}
        self._zombies: dict[int, _Zombie] = {}

    def __len__(self) -> int:
        return len(self._pids)

    def fileno(self) -> int:
        return self._epoll.fileno()

    def add(self, pidfd: int, pid: int) -> None:
        self._epoll.register(pidfd, select.EPOLLIN)
        self._pids[pidfd] = pid

    def ended(self, now: float, limit: int) -> list[tuple[int, int | None]]:
        """Give each pidfd whose process has ended, once, with its wait status if that is known.

        Does not wait. now: seconds on any one steady clock.
        """
        ended = []
        for pidfd, events in self._epoll.poll(0, limit):
            if events & select.EPOLLHUP:
                seen = self._zombies.get(pidfd)
                status = exit_status(pidfd)
                ended.append((pidfd, seen.status if seen and status is None else status))
            else:
                # Asked for nothing, it still tells the hang-up.
                self._epoll.modify(pidfd, 0)
                status = procfs.zombie_status(self._pids[pidfd])
                wait = PATIENCE if status is None else GRACE
                self._zombies[pidfd] = _Zombie(status, now + wait)
        told = {pidfd for pidfd, _ in ended}
        for pidfd, zombie in self._zombies.items():
            if zombie.deadline <= now and pidfd not in told:
                ended.append((pidfd, zombie.status))
        for pidfd, _ in ended:
            self._epoll.unregister(pidfd)
            self._zombies.pop(pidfd, None)
            del self._pids[pidfd]
        return ended

    @property
    def deadline(self) -> float | None:
        """When the first zombie is told as ended, whatever its parent does."""
        return min((zombie.deadline for zombie in self._zombies.values()), default=None)

    def close(self) -> None:
        self._epoll.close()
