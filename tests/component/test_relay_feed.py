"""The inbox feed: what many pages ask for is read once."""

import asyncio

from notifyd.relay import sends, tokens
from notifyd.relay.inbox import open_pages
from notifyd.relay.inbox_feed import InboxCursor, InboxFeed
from notifyd.relay.sends import Send, StoreLimits
from notifyd.relay.store.sqlite import SqliteStore

START = InboxCursor(0, 0)


class CountingStore(SqliteStore):
    reads = 0

    async def read(self, *work, **arguments):
        self.reads += 1
        return await super().read(*work, **arguments)


async def test_pages_share_what_they_read_and_what_they_do_not_find():
    store, pages = await CountingStore.open(":memory:"), open_pages()
    feed = InboxFeed(store, pages)
    _, token = await store.run(tokens.mint, "w", "laptop", {}, 1.0)

    async def send() -> None:
        batch = [Send(token, "t", None, {})]
        await store.run(sends.accept, batch, pages=0, wall=1.0, limits=StoreLimits())
        pages.wake()

    await send()
    parts = [await feed.after(START) for _ in range(50)]
    assert (store.reads, set(parts)) == (1, {parts[0]})
    ends = [await feed.after(parts[0].cursor) for _ in range(50)]
    assert (store.reads, {part.events for part in ends}) == (2, {b""})
    await send()
    with pages.admit() as place:
        await asyncio.wait_for(place.changed.wait(), 45)  # the second wake keeps the pace of pages
    more = [await feed.after(parts[0].cursor) for _ in range(50)]
    assert (store.reads, more[-1].cursor.seq) == (3, 2)
    await store.close()
