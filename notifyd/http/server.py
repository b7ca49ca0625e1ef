"""Serving a listening socket: bounded connections, and every error as JSON."""

import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Generic, TypeVar

from aiohttp import web

from notifyd.http.connection import BoundedConnection
from notifyd.http.errors import to_http_error
from notifyd.http.open_connections import ConnectedClient, ConnectionLimits, OpenConnections
from notifyd.http.responses import error_response
from notifyd.model.errors import NotifydError

C = TypeVar("C", bound=ConnectedClient)

RequestHandler = Callable[[web.BaseRequest, C], Awaitable[web.StreamResponse]]
Identify = Callable[[asyncio.BaseTransport], C]

_ACCEPTED_AT_ONCE = 16
"""asyncio takes its backlog for the number of connections to accept before it does anything else:
with the kernel's, a burst could use up all descriptors before the first connection gives way."""


@asynccontextmanager
async def serve(
    sock: socket.socket,
    handler: RequestHandler[C],
    identify: Identify[C],
    limits: ConnectionLimits,
    *,
    grace: float,
    backlog: int = 128,
) -> AsyncIterator[None]:
    """Answer on `sock` while inside; the socket stays its owner's to close.

    handler: its NotifydErrors become responses. identify: says who is at the other end of a new
    connection. grace: seconds that requests at work get on the way out.
    """
    server = BoundedServer(handler, identify, fit_descriptors(limits))
    runner = web.ServerRunner(server, shutdown_timeout=grace)
    await runner.setup()
    try:
        # A duplicate, because the runner closes what it was given.
        await web.SockSite(runner, sock.dup(), backlog=_ACCEPTED_AT_ONCE).start()
        sock.listen(backlog)
        yield
    finally:
        await runner.cleanup()


class BoundedServer(web.Server, Generic[C]):
    """Makes the connections and turns what a handler raises into responses."""

    def __init__(
        self, handler: RequestHandler[C], identify: Identify[C], limits: ConnectionLimits
    ) -> None:
        super().__init__(self._respond)
        self._handler = handler
        self._identify = identify
        self._limits = limits
        self._open = OpenConnections(limits)

    def __call__(self) -> BoundedConnection[C]:
        return BoundedConnection(self, self._identify, self._limits, self._open)

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        if not isinstance(connection, BoundedConnection):
            raise TypeError(f"{connection!r} was not made by this server")
        connection.begin_request()
        try:
            return await self._handler(request, connection.client)
        except NotifydError as error:
            return error_response(to_http_error(error))


def fit_descriptors(limits: ConnectionLimits) -> ConnectionLimits:
    """Leave half of the descriptors that the process may open to everything else."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or limits.connections + limits.reserved <= soft // 2:
        return limits
    connections = max(soft // 2 - limits.reserved, 2)
    return replace(
        limits,
        connections=connections,
        per_client=min(limits.per_client, connections // 2),
    )
