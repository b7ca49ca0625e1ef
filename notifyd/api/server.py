"""The local API's server: one listening socket, every outcome an answer in JSON."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from notifyd.api.auth import Authorizer
from notifyd.api.connection import Connection, Connections, Limits
from notifyd.api.control import Control
from notifyd.api.errors import translated
from notifyd.api.listener import BACKLOG, Listener
from notifyd.api.rate_limit import UserRateLimiter
from notifyd.api.responses import answered, response
from notifyd.api.routes import Routes
from notifyd.config.sections import SocketConfig
from notifyd.model.errors import NotifydError

_LAST_ANSWERS = 1.0


@asynccontextmanager
async def serve(
    control: Control, settings: SocketConfig, listener: Listener, *, limits: Limits | None = None
) -> AsyncIterator[None]:
    """Answer on `listener` while inside; on the way out requests in hand get a last second.

    The listener stays its owner's to close.
    """
    limits = limits or Limits()
    routes = Routes(
        control, UserRateLimiter(settings.rate), max_body=settings.max_body, body_time=limits.body
    )
    connections = Connections(_Front(routes), Authorizer(settings.admin_group), limits)
    runner = web.ServerRunner(connections, shutdown_timeout=_LAST_ANSWERS)
    await runner.setup()
    try:
        # A duplicate, because the runner closes what it was given: the path is the listener's.
        await web.SockSite(runner, listener.socket.dup(), backlog=BACKLOG).start()
        yield
    finally:
        routes.stop_waiting()
        await runner.cleanup()


class _Front:
    """Turns what the routes say into a response; our own faults are the connection's to tell."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        if not isinstance(connection, Connection):
            raise TypeError(f"{connection!r} was not made by Connections")
        connection.busy()
        try:
            answer = await self._routes(request, connection.caller)
            return response(answer.status, answer.body)
        except NotifydError as error:
            return answered(translated(error))
