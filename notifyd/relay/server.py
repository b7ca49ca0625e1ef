"""The relay as a whole: its socket, its database, what it serves."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web

from notifyd.http.host_check import HostCheck
from notifyd.http.open_connections import ConnectionLimits, RemoteClient
from notifyd.http.rate_limit import Rate
from notifyd.http.request import BodyLimits
from notifyd.http.routing import HttpRouter
from notifyd.http.server import serve
from notifyd.http.tcp import base_url, listen_tcp
from notifyd.relay import credentials, tokens
from notifyd.relay.credentials import ClientCredentials, StoredClient
from notifyd.relay.inbox import Inbox, InboxConnections
from notifyd.relay.rate_limit import WorkspaceRateLimiter
from notifyd.relay.routes import Clocks, RelayRoutes
from notifyd.relay.store import Database, RelayStore

MAX_BODY = 64 << 10
"""Bytes of a request's body."""

RATE = Rate(60, 60.0)
"""The platform's limit for a free workspace."""

LIMITS = ConnectionLimits(header_size=8190, headers=128)
"""Wider than the local socket's: a browser sends the cookies of every server on this host."""

_GRACE = 2.0
"""Seconds that requests at work get when the relay stops."""


class Relay:
    """A running relay.

    url: the API's base URL. inbox_url: the inbox page's, with its secret. new_client: the client
    that was created at this start; its secret is stored nowhere.
    """

    def __init__(
        self,
        store: RelayStore,
        url: str,
        inbox_key: str,
        new_client: ClientCredentials | None,
        wall: Callable[[], float],
    ) -> None:
        self.store = store
        self.url = url
        self.inbox_url = f"{url}/inbox?key={inbox_key}"
        self.new_client = new_client
        self._wall = wall

    async def mint_token(self, workspace_id: str, name: str) -> str:
        """Create a send token as `POST /notifications/tokens` does; returns it in plain text."""
        _, plain = await self.store.run(tokens.mint, workspace_id, name, {}, self._wall())
        return plain


@asynccontextmanager
async def open_relay(
    database: Database,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    rate: Rate = RATE,
    client: ClientCredentials | None = None,
    limits: ConnectionLimits = LIMITS,
    clocks: Clocks = Clocks(),  # noqa: B008 - immutable
) -> AsyncIterator[Relay]:
    """Serve the Notifications API and the inbox page while inside.

    port: 0 takes a free one. rate: for each workspace. client: who manages tokens and devices;
    without one, a client is created when the database is new.
    """
    async with AsyncExitStack() as stack:
        # The port comes first: credentials that are shown once must not be created in vain.
        listening = stack.enter_context(listen_tcp(host, port, "--listen"))
        store = await RelayStore.open(database)
        stack.push_async_callback(store.close)
        inbox_key = await store.run(credentials.load_inbox_key)
        stored, new = await _stored_client(store, client)
        connections = InboxConnections()
        routes = RelayRoutes(store, stored, WorkspaceRateLimiter(rate), connections, clocks)
        inbox = Inbox(store, connections, inbox_key)
        router = HttpRouter(routes.routes() + inbox.routes(), BodyLimits(MAX_BODY, limits.body))
        host_check = HostCheck(host, "this relay", own_pages=True)

        async def respond(request: web.BaseRequest, remote: RemoteClient) -> web.StreamResponse:
            host_check.check(request.headers)
            return await router(request, remote)

        await stack.enter_async_context(
            serve(listening, respond, RemoteClient.of, limits, grace=_GRACE)
        )
        stack.callback(connections.close)
        yield Relay(store, base_url(listening), inbox_key, new, clocks.wall)


async def _stored_client(
    store: RelayStore, given: ClientCredentials | None
) -> tuple[StoredClient, ClientCredentials | None]:
    """Return the client whose credentials count, and it in plain text if it is new."""
    if given is not None:
        return StoredClient.of(given), None
    if (saved := await store.run(credentials.load_client)) is not None:
        return saved, None
    new = ClientCredentials.new()
    stored = StoredClient.of(new)
    await store.run(credentials.save_client, stored)
    return stored, new
