"""What open pages are sent: new notifications, and changes to the ones that they show.

Each part is read and rendered once, however many pages get it.
"""

import asyncio
import re
from collections import OrderedDict
from typing import NamedTuple

from notifyd.http.event_stream import OpenStreams, render_event
from notifyd.model.notifications import Json
from notifyd.relay import changes, inbox_queries, notifications
from notifyd.relay.store.base import RelayStore, Transaction

REPLAYED = 100
"""How many of the latest notifications a page gets that names no cursor."""

_BATCH = 100
"""Notifications in one part."""

_MOST_STATES = 500
"""Changed notifications that are sent one by one; of more, a page reads its list again."""

_PARTS_KEPT = 8
"""Parts that pages may still have to get. One that is further behind reads its own."""

_CURSOR = re.compile(r"v1\.(\d{1,18})\.(\d{1,18})", re.ASCII)


class InboxCursor(NamedTuple):
    """What a page has got: all notifications up to seq, and all changes up to revision.

    As text it begins with the number of its format.
    """

    seq: int
    revision: int

    def __str__(self) -> str:
        return f"v1.{self.seq}.{self.revision}"


class FeedPart(NamedTuple):
    """Rendered events, none if there is nothing new, and the cursor after them."""

    events: bytes
    cursor: InboxCursor


class InboxFeed:
    """The parts of the stream. pages: who gets them, and is woken when there may be more."""

    def __init__(self, store: RelayStore, pages: OpenStreams) -> None:
        self._store = store
        self._pages = pages
        self._parts: OrderedDict[InboxCursor, FeedPart] = OrderedDict()
        self._end: tuple[InboxCursor, int] | None = None
        self._reading = asyncio.Lock()

    async def after(self, cursor: InboxCursor) -> FeedPart:
        """Return the next events after a cursor. Whoever asks for the same ones shares them."""
        async with self._reading:
            if (known := self._parts.get(cursor)) is not None:
                return known
            now_at = (cursor, self._pages.wakes)
            if self._end == now_at:  # looked up by another page since they were woken
                return FeedPart(b"", cursor)
            part = await self._store.read(_read_part, cursor)
            if part.events:
                self._parts[cursor] = part
                if len(self._parts) > _PARTS_KEPT:
                    self._parts.popitem(last=False)
            else:
                self._end = now_at
            return part

    async def resume(self, text: str) -> FeedPart:
        """Parse a cursor, and return what a page must get before what comes after it.

        A page that may show what was deleted for good must read its list again. A cursor that this
        relay never gave means the latest few.
        """
        newest = await self._store.read(newest_cursor)
        if match := _CURSOR.fullmatch(text):
            given = InboxCursor(int(match[1]), int(match[2]))
            if given.seq <= newest.seq and given.revision <= newest.revision:
                if given.revision >= await self._store.read(changes.purged_revision):
                    return FeedPart(b"", given)
                return FeedPart(render_event("reset", {}, str(newest)), newest)
        seq = await self._store.read(notifications.before_latest, REPLAYED)
        return FeedPart(b"", newest._replace(seq=seq))


# --- inside a transaction of the store


async def newest_cursor(transaction: Transaction) -> InboxCursor:
    """Return the cursor after all that is stored."""
    return InboxCursor(
        await notifications.newest_seq(transaction), await changes.newest_revision(transaction)
    )


async def _read_part(transaction: Transaction, cursor: InboxCursor) -> FeedPart:
    events = []
    for stored in await notifications.after(transaction, cursor.seq, _BATCH):
        cursor = cursor._replace(seq=stored.seq)
        events.append(render_event("notification", stored.as_json(), str(cursor)))
    states = await inbox_queries.changed_since(transaction, cursor.revision, _MOST_STATES + 1)
    if len(states) > _MOST_STATES:
        cursor = cursor._replace(revision=await changes.newest_revision(transaction))
        events.append(render_event("reset", {}, str(cursor)))
    elif states:
        cursor = cursor._replace(revision=states[-1].revision)
        shown: Json = {"notifications": [state.as_json() for state in states]}
        events.append(render_event("changes", shown, str(cursor)))
    return FeedPart(b"".join(events), cursor)
