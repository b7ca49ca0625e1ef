"""The inbox: its page, and the event stream of each open page."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hmac import compare_digest
from http import HTTPStatus

from aiohttp import web

from notifyd.http.errors import HttpError
from notifyd.http.event_stream import EventStream
from notifyd.http.open_connections import RemoteClient
from notifyd.http.request import Request
from notifyd.http.responses import content_response
from notifyd.http.routing import HttpRoute
from notifyd.model.errors import StoreUnavailableError
from notifyd.relay import credentials, notifications
from notifyd.relay.inbox_page import load
from notifyd.relay.store.base import RelayStore

REPLAYED = 100
"""How many of the latest notifications a page shows when it opens."""

MOST_PAGES = 64
"""How many pages may be open at once."""

_BATCH = 100
"""How many notifications are read from the store at once."""

_KEEP_ALIVE = 15.0
"""Seconds of silence after which a comment is sent: a dead connection fails then."""

_RETRY = 2.0
"""Seconds after which a page reconnects."""

_HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class InboxConnections:
    """The open pages. Each reads from the store at its own pace when it is woken."""

    def __init__(self) -> None:
        self._pages: dict[asyncio.Event, EventStream | None] = {}
        self.is_closing = False

    @property
    def open(self) -> int:
        """How many pages are connected now."""
        return sum(stream is not None and stream.is_connected for stream in self._pages.values())

    @contextmanager
    def admit(self) -> Iterator[asyncio.Event]:
        """Reserve a place for a page while inside; HttpError (503) if all are taken.

        The event is set when there may be something new for the page.
        """
        taken = sum(stream is None or stream.is_connected for stream in self._pages.values())
        if taken >= MOST_PAGES:
            sentence = f"{MOST_PAGES} inbox pages are open; close some"
            raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, "too_many_pages", sentence)
        changed = asyncio.Event()
        self._pages[changed] = None
        try:
            yield changed
        finally:
            del self._pages[changed]

    def connect(self, changed: asyncio.Event, stream: EventStream) -> None:
        """Count an admitted page as a device from now on."""
        self._pages[changed] = stream

    def wake(self) -> None:
        for changed in self._pages:
            changed.set()

    def close(self) -> None:
        """End every stream, now and later."""
        self.is_closing = True
        self.wake()


class Inbox:
    """The page and its events. The secret is in the page's address and not in a cookie.

    A cookie is not bound to a port: the browser would send it to every other server on this host,
    whoever runs it.
    """

    def __init__(self, store: RelayStore, connections: InboxConnections) -> None:
        self._store = store
        self._connections = connections
        self._page = load()

    def routes(self) -> list[HttpRoute[RemoteClient]]:
        return [
            HttpRoute("GET", "/inbox", self._show),
            HttpRoute("GET", "/inbox/events", self._stream, head=False),
            HttpRoute("GET", "/favicon.ico", self._icon),
        ]

    async def _show(self, request: Request[RemoteClient]) -> web.Response:
        await self._check_key(request)
        headers = {**_HEADERS, "Content-Security-Policy": self._page.policy}
        return content_response(self._page.html.encode(), "text/html; charset=utf-8", headers)

    async def _icon(self, _request: Request[RemoteClient]) -> web.Response:
        return content_response(self._page.icon.encode(), "image/svg+xml")

    async def _stream(self, request: Request[RemoteClient]) -> web.StreamResponse:
        await self._check_key(request)
        with self._connections.admit() as changed:
            last_seq = await self._last_seq(request)
            stream = await EventStream.open(request.http, _HEADERS, _RETRY)
            self._connections.connect(changed, stream)
            # The page was closed, or must come back later: it is too late for another response.
            with suppress(ConnectionError, StoreUnavailableError):
                await self._send_events(request, stream, changed, last_seq)
        return stream.response

    async def _send_events(
        self,
        request: Request[RemoteClient],
        stream: EventStream,
        changed: asyncio.Event,
        last_seq: int,
    ) -> None:
        """Send the notifications after `last_seq`, then each new one.

        It ends with the relay, or when the page's key was renewed.
        """
        is_live = False
        while not self._connections.is_closing:
            changed.clear()
            batch = await self._store.read(notifications.after, last_seq, _BATCH)
            for stored in batch:
                await stream.send("notification", stored.as_json(), stored.seq)
                last_seq = stored.seq
            if batch:
                continue
            if not is_live:
                await stream.send("live", {"seq": last_seq})
                is_live = True
            try:
                async with asyncio.timeout(_KEEP_ALIVE):
                    await changed.wait()
            except TimeoutError:
                if not await self._has_key(request):
                    return
                await stream.keep_alive()

    async def _last_seq(self, request: Request[RemoteClient]) -> int:
        """Return the number after which to begin: the last that the page saw, or the latest few."""
        last = request.headers.get("Last-Event-ID", "")
        if last.isdecimal() and last.isascii():
            newest = await self._store.read(notifications.newest_seq)
            if len(last) <= len(str(newest)) and int(last) <= newest:
                return int(last)
        return await self._store.read(notifications.before_latest, REPLAYED)

    async def _has_key(self, request: Request[RemoteClient]) -> bool:
        key = await self._store.read(credentials.load_inbox_key)
        given = request.http.query.get("key", "").encode("utf-8", "replace")
        return key is not None and compare_digest(given, key.encode())

    async def _check_key(self, request: Request[RemoteClient]) -> None:
        if not await self._has_key(request):
            sentence = "wrong key in the address; `notifyd relay inbox` shows the right one"
            raise HttpError(HTTPStatus.FORBIDDEN, "forbidden", sentence)
