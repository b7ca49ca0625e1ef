"""Serving a listening socket: bounded connections, and every error as JSON."""

import asyncio
import resource
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Generic, TypeVar

from aiohttp import web

from notifyd.http.acceptor import Acceptor
from notifyd.http.connection import BoundedConnection
from notifyd.http.errors import to_http_error
from notifyd.http.open_connections import ConnectedClient, ConnectionLimits, OpenConnections
from notifyd.http.responses import error_response
from notifyd.model.errors import NotifydError

ClientT = TypeVar("ClientT", bound=ConnectedClient)

RequestHandler = Callable[[web.BaseRequest, ClientT], Awaitable[web.StreamResponse]]
Identify = Callable[[asyncio.BaseTransport], ClientT]


@asynccontextmanager
async def serve(
    sock: socket.socket,
    handler: RequestHandler[ClientT],
    identify: Identify[ClientT],
    limits: ConnectionLimits,
    *,
    grace: float,
    backlog: int = 128,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[None]:
    """Answer on `sock` while inside; the socket stays its owner's to close.

    handler: raises NotifydError for an error response. identify: returns the client of a new
    connection. grace: seconds that running requests get at the end. tls: for HTTPS.
    """
    server = BoundedServer(handler, identify, fit_descriptors(limits))
    runner = web.ServerRunner(server, shutdown_timeout=grace)
    await runner.setup()
    try:
        sock.listen(backlog)
        async with Acceptor(sock, server, tls):
            yield
    finally:
        await runner.cleanup()


class BoundedServer(web.Server, Generic[ClientT]):
    """Creates the connections and converts errors of the handler to responses."""

    def __init__(
        self,
        handler: RequestHandler[ClientT],
        identify: Identify[ClientT],
        limits: ConnectionLimits,
    ) -> None:
        super().__init__(self._respond)
        self._handler = handler
        self._identify = identify
        self._limits = limits
        self._open_connections = OpenConnections(limits)

    def __call__(self) -> BoundedConnection[ClientT]:
        return BoundedConnection(self, self._identify, self._limits, self._open_connections)

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        if not isinstance(connection, BoundedConnection):
            raise TypeError(f"{connection!r} was not made by this server")
        try:
            connection.begin_request(request)
            return await self._handler(request, connection.client)
        except NotifydError as error:
            return error_response(to_http_error(error, is_admin=connection.client.is_privileged))


def fit_descriptors(limits: ConnectionLimits) -> ConnectionLimits:
    """Lower the limits to half of the descriptors that the process may open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or limits.connections + limits.reserved <= soft // 2:
        return limits
    connections = max(soft // 2 - limits.reserved, 2)
    return replace(
        limits,
        connections=connections,
        per_client=min(limits.per_client, connections // 2),
    )
