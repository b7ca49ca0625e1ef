"""The kernel's process connector, which reports every fork and exec (linux/cn_proc.h).

It needs CAP_NET_ADMIN and the first pid and user namespaces. Without it, processes are found by
scans of /proc.
"""

import contextlib
import errno
import os
import select
import socket
import struct
from typing import NamedTuple, Self

_CONNECTOR = 11
_PROCESSES = 1
_LISTEN, _IGNORE = 1, 2
_FORK, _EXEC = 0x1, 0x2
_HEADERS = 16 + 20
_REPLY_WITHIN_MS = 100
_SO_RCVBUFFORCE = 33
_BUFFER = 4 << 20
"""Bytes for events that have not been read."""


class ProcessEvents(NamedTuple):
    """execed: pids. forked: pairs of parent and child. overflowed: some events were lost."""

    execed: set[int]
    forked: set[tuple[int, int]]
    overflowed: bool

    @property
    def with_descendants(self) -> set[int]:
        """The pids that have execed, and what they forked: a launcher may have ended by now."""
        children: dict[int, list[int]] = {}
        for parent, child in self.forked:
            children.setdefault(parent, []).append(child)
        found: set[int] = set()
        waiting = list(self.execed)
        while waiting:
            pid = waiting.pop()
            if pid not in found:
                found.add(pid)
                waiting += children.get(pid, ())
        return found


class ProcessConnector:
    """An open subscription."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection

    @classmethod
    def open(cls) -> Self:
        """Subscribe; OSError if this process may not."""
        connection = socket.socket(
            socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, _CONNECTOR
        )
        with contextlib.ExitStack() as undo:
            undo.callback(connection.close)
            # A build's events of a tenth of a second, many times over.
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
            connection.bind((0, _PROCESSES))
            connection.send(_message(_LISTEN))
            # Without permission there is no reply at all.
            replies = select.poll()  # unlike select(), it takes descriptors above 1023
            replies.register(connection, select.POLLIN)
            if not replies.poll(_REPLY_WITHIN_MS):
                raise OSError(errno.EPERM, "the process connector does not answer")
            # The reply is an event as well, so the filter is set only now. Kernels before 6.6
            # ignore it and report all events.
            connection.send(_message(_LISTEN, _FORK | _EXEC))
            undo.pop_all()
        return cls(connection)

    def fileno(self) -> int:
        return self._socket.fileno()

    def read_events(self, limit: int = 5000) -> ProcessEvents:
        """Return the events that have arrived. Does not block."""
        events = ProcessEvents(set(), set(), overflowed=False)
        for _ in range(limit):
            try:
                data, (port, _) = self._socket.recvfrom(1024)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                events = events._replace(overflowed=True)
                continue
            if port != 0 or len(data) < _HEADERS + 32:  # any process may send to a port
                continue
            what, group, child, child_group = struct.unpack_from("=I16xiii", data, _HEADERS)
            if what == _EXEC:
                events.execed.add(group)
            elif what == _FORK and child == child_group:
                # In a fork event, the first two are the parent's.
                events.forked.add((group, child))
        return events

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.send(_message(_IGNORE))
        self._socket.close()


def _message(*operation: int) -> bytes:
    """Encode an operation, followed by an event mask if it has one."""
    data = struct.pack(f"={len(operation)}I", *operation)
    body = struct.pack("=IIIIHH", _PROCESSES, 1, 0, 0, len(data), 0) + data
    return struct.pack("=IHHII", 16 + len(body), 3, 0, 0, os.getpid()) + body
