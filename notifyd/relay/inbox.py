"""The inbox: its page, and the event stream of each open page."""

import asyncio
from contextlib import suppress
from http import HTTPStatus

from aiohttp import web

from notifyd.http.event_stream import EventStream, OpenStreams, StreamPlace
from notifyd.http.open_connections import RemoteClient
from notifyd.http.request import Request
from notifyd.http.responses import content_response
from notifyd.http.routing import HttpRoute
from notifyd.model.errors import StoreUnavailableError
from notifyd.relay.access import check_inbox_key, has_inbox_key
from notifyd.relay.fleet_watch import FleetWatch
from notifyd.relay.inbox_feed import InboxCursor, InboxFeed
from notifyd.relay.inbox_page import load, manifest
from notifyd.relay.store.base import RelayStore

_PACE = 0.02
"""Seconds in which pages get what has come together, when much comes."""

MOST_PAGES = 64
"""How many pages may be open at once."""

_KEY_CHECK = 15.0
"""Seconds between two looks whether the key of an open page was renewed."""
_LONGEST_DEVICE = 200
_HTML = "text/html; charset=utf-8"
_HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def open_pages() -> OpenStreams:
    """Return the registry of the open pages, each of which is a device."""
    return OpenStreams(
        most=MOST_PAGES,
        per_client=MOST_PAGES,
        noun="inbox pages",
        code="too_many_pages",
        pace=_PACE,
    )


class Inbox:
    """The page and its events. The secret is in the page's address and not in a cookie.

    A cookie is not bound to a port: the browser would send it to every other server on this host,
    whoever runs it.
    """

    def __init__(self, store: RelayStore, pages: OpenStreams, fleet: FleetWatch) -> None:
        self._store = store
        self._pages = pages
        self._fleet = fleet
        self._feed = InboxFeed(store, pages)
        self._page = load()

    def routes(self) -> list[HttpRoute[RemoteClient]]:
        return [
            HttpRoute("GET", "/inbox", self._show),
            HttpRoute("GET", "/inbox/manifest.webmanifest", self._manifest),
            HttpRoute("GET", "/inbox/worker.js", self._worker),
            HttpRoute("GET", "/inbox/events", self._stream, head=False),
            HttpRoute("GET", "/favicon.ico", self._icon),
        ]

    async def _show(self, request: Request[RemoteClient]) -> web.Response:
        page = self._page
        if not await has_inbox_key(self._store, request):
            headers = {**_HEADERS, "Content-Security-Policy": page.refusal_policy}
            refusal = content_response(page.refusal.encode(), _HTML, headers)
            refusal.set_status(HTTPStatus.FORBIDDEN)
            return refusal
        headers = {**_HEADERS, "Content-Security-Policy": page.policy}
        return content_response(page.html.encode(), _HTML, headers)

    async def _manifest(self, request: Request[RemoteClient]) -> web.Response:
        await check_inbox_key(self._store, request)
        text = manifest(request.http.query["key"])
        return content_response(text.encode(), "application/manifest+json", _HEADERS)

    async def _worker(self, _request: Request[RemoteClient]) -> web.Response:
        # It may handle /inbox, which is not below its own path.
        headers = {**_HEADERS, "Service-Worker-Allowed": "/inbox"}
        script = self._page.worker.encode()
        return content_response(script, "text/javascript; charset=utf-8", headers)

    async def _icon(self, _request: Request[RemoteClient]) -> web.Response:
        return content_response(self._page.icon.encode(), "image/svg+xml")

    async def _stream(self, request: Request[RemoteClient]) -> web.StreamResponse:
        await check_inbox_key(self._store, request)
        with self._pages.admit(_device(request)) as place:
            given = request.headers.get("Last-Event-ID") or request.http.query.get("after", "")
            first = await self._feed.resume(given)
            place.stream = stream = await EventStream.open(request.http, _HEADERS)
            # The page was closed, or must come back later: it is too late for another response.
            with suppress(ConnectionError, StoreUnavailableError):
                await stream.send_rendered(first.events)
                await self._send_events(request, stream, place, first.cursor)
        return stream.response

    async def _send_events(
        self,
        request: Request[RemoteClient],
        stream: EventStream,
        place: StreamPlace,
        cursor: InboxCursor,
    ) -> None:
        """Send what came after the cursor, then whatever comes.

        It ends with the relay, or when the page's key was renewed.
        """
        is_live, fleet_version = False, self._fleet.version
        clock = asyncio.get_running_loop().time
        checked_at = clock()
        while not self._pages.is_closing:
            if clock() - checked_at >= _KEY_CHECK:
                if not await has_inbox_key(self._store, request):
                    return
                checked_at = clock()
            place.changed.clear()
            batch = await self._feed.after(cursor)
            if batch.events:
                await stream.send_rendered(batch.events)
                cursor = batch.cursor
                continue
            if not is_live:
                await stream.send("live", {"seq": cursor.seq, "version": self._page.version})
                is_live = True
            if self._fleet.version != fleet_version:
                fleet_version = self._fleet.version
                await stream.send("fleet", {})
            if not await place.wait():
                await stream.keep_alive()
        await stream.send_retry()


def _device(request: Request[RemoteClient]) -> str | None:
    """Return the device_id under which the page gets pushes; None without."""
    return request.http.query.get("device", "")[:_LONGEST_DEVICE] or None
