"""The inbox: its page, and the stream of events that every open page listens to."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hmac import compare_digest

from aiohttp import hdrs, web

from notifyd.model.errors import StoreUnavailableError
from notifyd.model.notifications import Json
from notifyd.relay import notifications
from notifyd.relay.errors import RequestError
from notifyd.relay.inbox_page import load
from notifyd.relay.store import RelayStore

REPLAYED = 100
"""How many of the latest notifications a page is shown when it opens."""

MOST_PAGES = 64
"""How many pages may be open at once."""

_AT_ONCE = 100
_HEARTBEAT = 15.0
"""Seconds after which a silent stream says that it is still there."""

_HEADERS = {
    hdrs.CACHE_CONTROL: "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class InboxConnections:
    """The open pages. Each reads from the store at its own pace: here it is only woken."""

    def __init__(self) -> None:
        self._listening: dict[asyncio.Event, web.Request] = {}
        self.closing = False

    @property
    def open(self) -> int:
        """How many pages are connected now."""
        return sum(_connected(request) for request in self._listening.values())

    @contextmanager
    def listening(self, request: web.Request) -> Iterator[asyncio.Event]:
        news = asyncio.Event()
        self._listening[news] = request
        try:
            yield news
        finally:
            del self._listening[news]

    def wake(self) -> None:
        for news in self._listening:
            news.set()

    async def close(self, _app: web.Application) -> None:
        self.closing = True
        self.wake()


class Inbox:
    """The secret stands in the page's address and not in a cookie.

    A cookie knows no ports: every other server on this host that the browser meets, whoever
    runs it, would be handed it.
    """

    def __init__(self, store: RelayStore, pages: InboxConnections, key: str) -> None:
        self._store = store
        self._pages = pages
        self._key = key.encode()
        self._document = load()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/inbox", self._show),
            web.get("/inbox/events", self._stream, allow_head=False),
            web.get("/favicon.ico", self._icon),
        ]

    async def _show(self, request: web.Request) -> web.Response:
        self._check(request)
        headers = {**_HEADERS, "Content-Security-Policy": self._document.policy}
        return web.Response(text=self._document.html, content_type="text/html", headers=headers)

    async def _icon(self, _request: web.Request) -> web.Response:
        return web.Response(text=self._document.icon, content_type="image/svg+xml")

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        self._check(request)
        if self._pages.open >= MOST_PAGES:
            raise RequestError(
                503, "too_many_pages", f"{MOST_PAGES} inbox pages are open: close some"
            )
        seen = await self._seen(request)
        response = web.StreamResponse(headers={**_HEADERS, "X-Accel-Buffering": "no"})
        response.content_type = "text/event-stream"
        await response.prepare(request)
        with (
            self._pages.listening(request) as news,
            # The page was closed, or must come back later: it is too late for another answer.
            suppress(ConnectionError, StoreUnavailableError),
        ):
            await self._tell(response, news, seen)
        return response

    async def _tell(self, response: web.StreamResponse, news: asyncio.Event, seen: int) -> None:
        """Write what came after `seen`, then whatever comes, until the relay ends."""
        live = False
        await response.write(b"retry: 2000\n\n")
        while not self._pages.closing:
            news.clear()
            batch = await self._store.run(notifications.after, seen, _AT_ONCE)
            for received in batch:
                event = _event("notification", received.as_json(), received.seq)
                await response.write(event)
                seen = received.seq
            if batch:
                continue
            if not live:
                await response.write(_event("live", {"seq": seen}))
                live = True
            try:
                async with asyncio.timeout(_HEARTBEAT):
                    await news.wait()
            except TimeoutError:
                await response.write(b": still here\n\n")

    async def _seen(self, request: web.Request) -> int:
        """Give the number after which to begin: what the page saw last, or the latest few."""
        last = request.headers.get("Last-Event-ID", "")
        if last.isdecimal() and last.isascii():
            newest = await self._store.run(notifications.newest)
            if len(last) <= len(str(newest)) and int(last) <= newest:
                return int(last)
        return await self._store.run(notifications.before_latest, REPLAYED)

    def _check(self, request: web.Request) -> None:
        given = request.query.get("key", "").encode("utf-8", "replace")
        if not compare_digest(given, self._key):
            sentence = "the key in this address is not the inbox's: use the one the relay printed"
            raise RequestError(403, "forbidden", sentence)


def _connected(request: web.Request) -> bool:
    return request.transport is not None and not request.transport.is_closing()


def _event(kind: str, data: Json, seq: int | None = None) -> bytes:
    name = "" if seq is None else f"id: {seq}\n"
    return f"{name}event: {kind}\ndata: {json.dumps(data)}\n\n".encode()
