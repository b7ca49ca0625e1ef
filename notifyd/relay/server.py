"""The relay as one object: bind, open the database, serve, and the way back."""

import errno
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Self

from aiohttp import web

from notifyd.http import server
from notifyd.http.open_connections import ConnectionLimits, RemoteClient
from notifyd.http.rate_limit import Rate
from notifyd.http.request import BodyLimits
from notifyd.http.routing import Router
from notifyd.model.errors import InUseError, NotifydError
from notifyd.relay import credentials, tokens
from notifyd.relay.credentials import ClientCredentials, StoredClient
from notifyd.relay.host_check import HostCheck, is_wildcard
from notifyd.relay.inbox import Inbox, InboxConnections
from notifyd.relay.rate_limit import WorkspaceRateLimiter
from notifyd.relay.routes import RelayRoutes
from notifyd.relay.store import Database, RelayStore

MAX_BODY = 64 << 10
"""Bytes that a request's body may have."""

RATE = Rate(60, 60.0)
"""What the platform allows a free workspace."""

LIMITS = ConnectionLimits(header_size=8190, headers=128)
"""Wider than the local socket's: a browser sends the cookies of every server on this host."""

_GRACE = 2.0
"""Seconds that requests in flight get when the relay ends."""


class Relay:
    """A Notifications API server with an inbox page, as an async context manager.

    port: 0 takes a free one. rate: what each workspace may send. client: who may manage tokens
    and devices; without one, a client is made when the database is new.
    """

    def __init__(
        self,
        database: Database,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        rate: Rate = RATE,
        client: ClientCredentials | None = None,
        limits: ConnectionLimits = LIMITS,
        wall: Callable[[], float] = time.time,
        mono: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._host = host
        self._port = port
        self._rate = rate
        self._client = client
        self._limits = limits
        self._wall = wall
        self._mono = mono
        self._stack = AsyncExitStack()
        self.url = ""
        """The API's base URL, once the relay runs."""
        self.inbox_url = ""
        """The page's address with its secret, once the relay runs."""
        self.new_client: ClientCredentials | None = None
        """The client that was made just now: nobody can tell its secret later."""

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            # The port comes first: credentials that are shown once must not be made in vain.
            listener = stack.enter_context(_listen(self._host, self._port))
            self._store = await RelayStore.open(self._database)
            stack.push_async_callback(self._store.close)
            key = await self._store.run(credentials.inbox_key)
            await stack.enter_async_context(self._served(listener, await self._known(), key))
            self.url = _url(listener)
            self.inbox_url = f"{self.url}/inbox?key={key}"
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def mint_token(self, workspace_id: str, name: str) -> str:
        """Make a send token, as `POST /notifications/tokens` does, and return it in plain text."""
        _, plain = await self._store.run(tokens.mint, workspace_id, name, {}, self._wall())
        return plain

    async def _known(self) -> StoredClient:
        if self._client is not None:
            return credentials.known(self._client)
        kept = await self._store.run(credentials.kept_client)
        if kept is not None:
            return kept
        self.new_client = ClientCredentials.new()
        known = credentials.known(self.new_client)
        await self._store.run(credentials.keep_client, known)
        return known

    @asynccontextmanager
    async def _served(
        self, listener: socket.socket, client: StoredClient, inbox_key: str
    ) -> AsyncIterator[None]:
        pages = InboxConnections()
        limiter = WorkspaceRateLimiter(self._rate)
        api = RelayRoutes(self._store, client, limiter, pages, wall=self._wall, mono=self._mono)
        inbox = Inbox(self._store, pages, inbox_key)
        router = Router(api.routes() + inbox.routes(), BodyLimits(MAX_BODY, self._limits.body))
        host_check = HostCheck(self._host)

        async def respond(request: web.BaseRequest, remote: RemoteClient) -> web.StreamResponse:
            host_check.check(request.headers)
            return await router(request, remote)

        async with server.serve(listener, respond, RemoteClient.of, self._limits, grace=_GRACE):
            try:
                yield
            finally:
                pages.close()


def _listen(host: str, port: int) -> socket.socket:
    """Bind and listen; errors name the address and say what to do."""
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        # "localhost" has both: the older one is what every client tries.
        family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
        both = is_wildcard(str(address[0])) and socket.has_dualstack_ipv6()
        return socket.create_server(
            address,
            family=family,
            backlog=128,
            dualstack_ipv6=both and family == socket.AF_INET6,
        )
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InUseError(
                f"{place} is in use: end the program that listens there,"
                " or choose another port with --listen"
            ) from None
        # A name that cannot be looked up has a number of its own and no place in os.strerror.
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else error.strerror
        raise NotifydError(f"cannot listen on {place}: {reason}: choose with --listen") from None


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    if is_wildcard(host):
        host = "::1" if ":" in host else "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
