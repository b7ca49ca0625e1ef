"""The exit of processes that are not our children, by pidfd and without polling."""

import fcntl
import select
import struct
from collections.abc import Collection
from typing import NamedTuple

from notifyd.sources.processes import procfs

ZOMBIE_WAIT = 0.05
"""Seconds that a zombie may wait for its parent before its exit is reported with its status."""
HIDDEN_ZOMBIE_WAIT = 10.0
"""The same where its status is hidden from us, and becomes known when the parent reaps it."""
_GET_INFO = 0xC000FF0B | 64 << 16
"""PIDFD_GET_INFO with the first 64 bytes of struct pidfd_info (linux/pidfd.h)."""
_EXIT = 1 << 3
"""PIDFD_INFO_EXIT, since Linux 6.15."""


class _Zombie(NamedTuple):
    status: int | None
    deadline: float


def read_exit_status(pidfd: int) -> int | None:
    """Return the wait status of a reaped process; None if the kernel does not provide it."""
    info = bytearray(64)
    struct.pack_into("=Q", info, 0, _EXIT)
    try:
        fcntl.ioctl(pidfd, _GET_INFO, info)
    except OSError:
        return None
    mask, status = struct.unpack_from("=Q52xi", info)
    return status if mask & _EXIT else None


class ExitWatcher:
    """Watches any number of pidfds through one descriptor, readable when `poll` has work.

    A pidfd becomes readable when its process becomes a zombie, and hangs up when the parent reaps
    it; only then does the kernel provide the status. A parent may never reap, and older kernels
    show the status of zombies alone. So the status is read from the zombie as well, and its exit is
    reported after a while if nobody has reaped it.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._pids: dict[int, int] = {}
        self._zombies: dict[int, _Zombie] = {}

    def fileno(self) -> int:
        return self._epoll.fileno()

    def add(self, pidfd: int, pid: int) -> None:
        self._epoll.register(pidfd, select.EPOLLIN)
        self._pids[pidfd] = pid

    def poll(self, now: float, limit: int) -> list[tuple[int, int | None]]:
        """Return the pidfds whose process has exited, each once, with its wait status if known.

        Does not block. now: seconds of any monotonic clock.
        """
        exited = []
        for pidfd, events in self._epoll.poll(0, limit):
            if events & select.EPOLLHUP:
                zombie = self._zombies.get(pidfd)
                status = read_exit_status(pidfd)
                exited.append((pidfd, zombie.status if zombie and status is None else status))
            else:
                # Without events to wait for, epoll still reports the hang-up.
                self._epoll.modify(pidfd, 0)
                try:
                    status = procfs.zombie_status(self._pids[pidfd])
                except OSError:  # it may be known once the parent has reaped the process
                    status = None
                wait = HIDDEN_ZOMBIE_WAIT if status is None else ZOMBIE_WAIT
                self._zombies[pidfd] = _Zombie(status, now + wait)
        reaped = {pidfd for pidfd, _ in exited}
        for pidfd, zombie in self._zombies.items():
            if zombie.deadline <= now and pidfd not in reaped:
                exited.append((pidfd, zombie.status))
        for pidfd, _ in exited:
            self.remove(pidfd)
        return exited

    def remove(self, pidfd: int) -> None:
        """Stop watching a pidfd that is still open, if it is watched."""
        if self._pids.pop(pidfd, None) is not None:
            self._epoll.unregister(pidfd)
            self._zombies.pop(pidfd, None)

    @property
    def zombies(self) -> Collection[int]:
        """Return the pidfds whose process has exited and is not reported yet."""
        return self._zombies.keys()

    @property
    def deadline(self) -> float | None:
        """When the exit of the first zombie is reported, reaped or not."""
        return min((zombie.deadline for zombie in self._zombies.values()), default=None)

    def close(self) -> None:
        self._epoll.close()
