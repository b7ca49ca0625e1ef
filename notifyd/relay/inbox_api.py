"""What the inbox page asks and changes: lists, counts, and what was read, archived or deleted."""

import asyncio
import itertools
from collections.abc import Callable

from aiohttp import web

from notifyd.http.event_stream import OpenStreams
from notifyd.http.open_connections import RemoteClient
from notifyd.http.request import Request
from notifyd.http.responses import success
from notifyd.http.routing import HttpRoute
from notifyd.relay import changes, inbox_queries
from notifyd.relay.access import check_inbox_key
from notifyd.relay.inbox_feed import newest_cursor
from notifyd.relay.inbox_queries import InboxSummary
from notifyd.relay.inbox_schemas import ChangeRequest, PageParameters, SummaryParameters
from notifyd.relay.store.base import RelayStore

_BARS = {"day": 3600.0, "month": 86_400.0}
"""Seconds that a bar of the chart covers, by the name of the period."""


class InboxApi:
    """All requests need the key in their address, as the page does."""

    def __init__(self, store: RelayStore, pages: OpenStreams, wall: Callable[[], float]) -> None:
        self._store = store
        self._pages = pages
        self._wall = wall
        self._summaries = _SharedSummaries(store)

    def routes(self) -> list[HttpRoute[RemoteClient]]:
        return [
            HttpRoute("GET", "/inbox/notifications", self._list),
            HttpRoute("GET", "/inbox/summary", self._summarize),
            HttpRoute("POST", "/inbox/changes", self._change),
        ]

    async def _list(self, request: Request[RemoteClient]) -> web.Response:
        await check_inbox_key(self._store, request)
        wanted = request.query(PageParameters)
        # The cursor is read first: what arrives meanwhile is in the list, the stream, or both.
        cursor = await self._store.read(newest_cursor)
        found = await self._store.read(
            inbox_queries.page, wanted.filter(), wanted.before, wanted.limit + 1
        )
        shown = found[: wanted.limit]
        return success(
            notifications=[stored.as_json() for stored in shown],
            next=shown[-1].seq if len(found) > len(shown) else None,
            cursor=str(cursor),
        )

    async def _summarize(self, request: Request[RemoteClient]) -> web.Response:
        await check_inbox_key(self._store, request)
        bar = _BARS[request.query(SummaryParameters).period]
        summary = await self._summaries.read(self._wall, bar)
        return success(**summary._asdict(), bar_seconds=bar)

    async def _change(self, request: Request[RemoteClient]) -> web.Response:
        await check_inbox_key(self._store, request)
        body = await request.json(ChangeRequest, any_content_type=True)
        wall = self._wall()
        if body.seqs is not None:
            applied = await self._store.run(changes.apply, body.action, body.seqs, wall)
        elif body.up_to is not None:
            applied = await self._store.run(changes.read_all, body.up_to, wall)
        else:
            applied = await self._store.run(changes.undo, body.action, body.revision or 0, wall)
        if applied.changed:
            self._pages.wake()
        return success(revision=applied.revision, changed=applied.changed)


class _SharedSummaries:
    """Counting reads all that is stored, and all open pages ask when something has come.

    Those that ask while one is being made share the next.
    """

    def __init__(self, store: RelayStore) -> None:
        self._store = store
        self._reading = asyncio.Lock()
        self._numbers = itertools.count()
        self._latest: dict[float, tuple[int, InboxSummary]] = {}

    async def read(self, wall: Callable[[], float], bar: float) -> InboxSummary:
        """Return a summary that was begun after this call, for bars of so many seconds."""
        asked = next(self._numbers)
        async with self._reading:
            begun, summary = self._latest.get(bar, (-1, None))
            if summary is None or begun < asked:
                begun = next(self._numbers)
                summary = await self._store.read(inbox_queries.summarize, wall(), bar)
                self._latest[bar] = begun, summary
            return summary
