"""The kernel's process connector: it tells of every fork and exec (linux/cn_proc.h).

Needs CAP_NET_ADMIN and the first pid and user namespaces. Without it, processes are found by
looking at /proc.
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
_REPLY_WITHIN = 0.1


class ProcessEvents(NamedTuple):
    """execed: pids that began a program. forked: parents with a child. lost: there was more."""

    execed: set[int]
    forked: set[tuple[int, int]]
    lost: bool


class Connector:
    """An open subscription. OSError from `open` if it cannot be had."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection

    @classmethod
    def open(cls) -> Self:
        connection = socket.socket(
            socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, _CONNECTOR
        )
        with contextlib.ExitStack() as undo:
            undo.callback(connection.close)
            connection.bind((0, _PROCESSES))
            connection.send(_message(_LISTEN))
            # Where it may not be used, there is no answer at all.
            if not select.select([connection], [], [], _REPLY_WITHIN)[0]:
                raise OSError(errno.EPERM, "the process connector does not answer")
            # The answer is an event as well, so we choose only now; before Linux 6.6 all are told.
            connection.send(_message(_LISTEN, _FORK | _EXEC))
            undo.pop_all()
        return cls(connection)

    def fileno(self) -> int:
        return self._socket.fileno()

    def news(self, limit: int = 1000) -> ProcessEvents:
        """Read what has come in; does not wait."""
        news = ProcessEvents(set(), set(), lost=False)
        for _ in range(limit):
            try:
                data, (port, _) = self._socket.recvfrom(1024)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                news = news._replace(lost=True)
                continue
            if port != 0 or len(data) < _HEADERS + 32:  # anybody may send to a port
                continue
            what, group, child, child_group = struct.unpack_from("=I16xiii", data, _HEADERS)
            if what == _EXEC:
                news.execed.add(group)
            elif what == _FORK and child == child_group:
                # In a fork's news, the first two are the parent's.
                news.forked.add((group, child))
        return news

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.send(_message(_IGNORE))
        self._socket.close()


def _message(*order: int) -> bytes:
    """Ask for an operation, if need be for certain events only."""
    data = struct.pack(f"={len(order)}I", *order)
    body = struct.pack("=IIIIHH", _PROCESSES, 1, 0, 0, len(data), 0) + data
    return struct.pack("=IHHII", 16 + len(body), 3, 0, 0, os.getpid()) + body
