"""Accepts the connections of a listening socket, and pauses where none can be accepted."""

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Self

import structlog

log = structlog.get_logger()

_AT_ONCE = 16
"""Connections accepted before anything else runs: a burst must not use up all descriptors before
the first waiting connection is evicted."""
_HANDSHAKE = 10.0
"""Seconds for the handshake of TLS."""
_HANDSHAKES = 256
"""Connections in their handshake; more are closed."""
_PAUSE = 1.0
"""Seconds without accepting after a failure."""
_WARNING_INTERVAL = 60.0
"""Seconds between two warnings."""
_OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
_NO_CONNECTION = (BlockingIOError, InterruptedError, ConnectionAbortedError)


class Acceptor:
    """Accepts while entered. make_protocol: called for each connection. tls: for HTTPS.

    Out of descriptors, new connections stay in the kernel's queue, where asyncio's own server
    would log a traceback for each of them.
    """

    def __init__(
        self,
        listening: socket.socket,
        make_protocol: Callable[[], asyncio.BaseProtocol],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._listening = listening
        self._tls = tls
        self._make_protocol = make_protocol
        self._loop = asyncio.get_running_loop()
        self._connecting: set[asyncio.Task[None]] = set()
        self._paused: asyncio.TimerHandle | None = None
        self._warned_at: float | None = None

    async def __aenter__(self) -> Self:
        self._listening.settimeout(0)
        self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._paused is not None:
            self._paused.cancel()
        self._loop.remove_reader(self._listening)
        if self._tls is not None:  # a client may never end its handshake
            for task in self._connecting:
                task.cancel()
        if self._connecting:  # they have been accepted, so the server has to close them
            await asyncio.wait(self._connecting)

    def _start(self) -> None:
        self._paused = None
        self._loop.add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, _address = self._listening.accept()
            except _NO_CONNECTION:
                return
            except OSError as error:
                self._pause(error)
                return
            if len(self._connecting) >= _HANDSHAKES:
                connection.close()
                continue
            connection.settimeout(0)
            task = self._loop.create_task(self._connect(connection))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _connect(self, connection: socket.socket) -> None:
        # A client that is gone already is no error of ours.
        with suppress(OSError):
            await self._loop.connect_accepted_socket(
                self._make_protocol,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=None if self._tls is None else _HANDSHAKE,
            )

    def _pause(self, error: OSError) -> None:
        self._loop.remove_reader(self._listening)
        self._paused = self._loop.call_later(_PAUSE, self._start)
        now = self._loop.time()
        if self._warned_at is not None and now - self._warned_at < _WARNING_INTERVAL:
            return
        self._warned_at = now
        fix = "raise LimitNOFILE= or `ulimit -n`" if error.errno in _OUT_OF_DESCRIPTORS else ""
        log.warning(
            "cannot accept connections at the moment; they wait",
            reason=os.strerror(error.errno or 0),
            **({"fix": fix} if fix else {}),
        )
