"""The relay as a whole: its socket, its database, what it serves."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from notifyd.http.host_check import HostCheck
from notifyd.http.open_connections import ConnectionLimits, RemoteClient
from notifyd.http.public_addresses import AddressPolicy, is_public
from notifyd.http.rate_limit import Rate
from notifyd.http.request import BodyLimits
from notifyd.http.routing import HttpRouter
from notifyd.http.server import serve
from notifyd.http.tcp import base_url, listen_tcp
from notifyd.relay import credentials, tokens
from notifyd.relay.apprise_sender import AppriseSender
from notifyd.relay.credentials import ClientCredentials, StoredClient
from notifyd.relay.delivery_worker import DeliveryWorker
from notifyd.relay.devices import DeviceKind
from notifyd.relay.fleet_routes import FleetRoutes
from notifyd.relay.fleet_watch import FleetWatch
from notifyd.relay.inbox import Inbox, open_pages
from notifyd.relay.inbox_api import InboxApi
from notifyd.relay.inbox_feed import newest_cursor
from notifyd.relay.maintenance import run_maintenance
from notifyd.relay.operations import HEALTH_PATH, Operations
from notifyd.relay.push_routes import PushRoutes
from notifyd.relay.question_routes import QuestionRoutes
from notifyd.relay.request_log import RequestLog
from notifyd.relay.routes import RelayRoutes
from notifyd.relay.send_queue import SendQueue
from notifyd.relay.sends import RATE, StoreLimits
from notifyd.relay.store.base import RelayStore
from notifyd.relay.store.location import Database, PostgresUrl, open_store
from notifyd.relay.web_push import PushKeys, WebPushSender

log = structlog.get_logger()

MAX_BODY = 64 << 10
"""Bytes of a request's body."""

LIMITS = ConnectionLimits(header_size=8190, headers=128)
"""Wider than the local socket's: a browser sends the cookies of every server on this host."""

_GRACE = 2.0
"""Seconds that requests at work get when the relay stops."""


class Relay:
    """A running relay.

    url: the API's base URL. port: that it listens on. inbox_url: the inbox page's, with its secret.
    new_client: the client that was created at this start; its secret is stored nowhere.
    """

    def __init__(
        self,
        store: RelayStore,
        url: str,
        inbox_key: str,
        new_client: ClientCredentials | None,
        wall: Callable[[], float],
        *,
        port: int,
    ) -> None:
        self.store = store
        self.port = port
        self.url = url
        self.inbox_url = inbox_url(url, inbox_key)
        self.new_client = new_client
        self._wall = wall

    async def mint_token(self, workspace_id: str, name: str) -> str:
        """Create a send token as `POST /notifications/tokens` does; returns it in plain text."""
        _, plain = await self.store.run(tokens.mint, workspace_id, name, {}, self._wall())
        return plain


def inbox_url(url: str, key: str) -> str:
    """Return the URL of the inbox page. url: the relay's base URL."""
    return f"{url}/inbox?key={key}"


@asynccontextmanager
async def open_relay(
    database: Database,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    rate: Rate = RATE,
    client: ClientCredentials | None = None,
    limits: ConnectionLimits = LIMITS,
    ephemeral: Sequence[str] = (),
    may_push_to: AddressPolicy = is_public,
    tls: ssl.SSLContext | None = None,
    public_url: str = "",
    is_logging: bool = False,
    wall: Callable[[], float] | None = None,
) -> AsyncIterator[Relay]:
    """Serve the Notifications API and the inbox page while inside.

    port: 0 takes a free one. rate: for each workspace. client: who manages tokens and devices;
    without one, a client is created when the database is new. ephemeral: patterns of the names of
    workspaces that come and go. public_url: at which a proxy serves the relay. is_logging: whether
    each request is logged. may_push_to: which addresses the push services that pages name may have.
    tls: for HTTPS. wall: a clock to use everywhere; by default that of this machine,
    and for rates that of the database if it has one.
    """
    clock = wall or time.time
    async with AsyncExitStack() as stack:
        # The port comes first: credentials that are shown once must not be created in vain.
        listening = stack.enter_context(listen_tcp(host, port, "--listen"))
        store = await open_store(database, wall)
        stack.push_async_callback(store.close)
        url = public_url.rstrip("/") or base_url(listening, is_https=tls is not None)
        await store.run(credentials.save_url, url)
        inbox_key = await store.run(credentials.ensure_inbox_key)
        new = None if client is not None else await store.run(credentials.ensure_client)
        given = None if client is None else StoredClient.of(client)
        pages = open_pages()
        push_keys = PushKeys(store)
        web_push = await stack.enter_async_context(
            WebPushSender(push_keys, may_push_to, url, clock)
        )
        senders = {DeviceKind.WEB_PUSH: web_push.send, DeviceKind.APPRISE: AppriseSender().send}
        is_alone = not isinstance(database, PostgresUrl)
        worker = DeliveryWorker(store, pages, senders, clock, is_alone=is_alone)
        stored = StoreLimits(rate)
        sends = SendQueue(store, pages, stored, clock, worker.wake)
        fleet = FleetWatch(store, pages, clock, worker.wake)
        await stack.enter_async_context(store.watching(pages.wake, newest_cursor))
        works = sends.run(), fleet.run(), worker.run(), run_maintenance(store, stored, clock)
        await stack.enter_async_context(_running(*works))
        asking = QuestionRoutes(store, pages, clock)
        operations = Operations(store, given, pages, clock)
        parts = (
            RelayRoutes(store, given, sends, clock),
            Inbox(store, pages, fleet),
            InboxApi(store, pages, clock),
            asking,
            FleetRoutes(store, fleet, clock, ephemeral),
            operations,
            PushRoutes(store, push_keys, may_push_to, clock),
        )
        router = HttpRouter(
            [route for part in parts for route in part.routes()], BodyLimits(MAX_BODY, limits.body)
        )
        public_name = urlsplit(public_url).hostname or ""
        host_check = HostCheck(host, "this relay", own_pages=True, public_name=public_name)

        async def respond(request: web.BaseRequest, remote: RemoteClient) -> web.StreamResponse:
            if request.path != HEALTH_PATH:
                host_check.check(request.headers)
            return await router(request, remote)

        operations.requests = requests = RequestLog(respond, is_logging=is_logging)
        await stack.enter_async_context(
            serve(listening, requests, RemoteClient.of, limits, grace=_GRACE, tls=tls)
        )
        stack.callback(pages.close)
        stack.callback(asking.close)
        yield Relay(store, url, inbox_key, new, clock, port=listening.getsockname()[1])


@asynccontextmanager
async def _running(*works: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run what has no end while inside. The listener ends first, so no send is left then."""
    tasks = [asyncio.create_task(work, name=getattr(work, "__qualname__", None)) for work in works]
    for task in tasks:
        task.add_done_callback(_log_failure)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error(
            "a part of the relay has failed and does not run any more; restart the relay",
            part=task.get_name(),
            exc_info=error,
        )
