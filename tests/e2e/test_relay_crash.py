"""Relays on PostgreSQL while they, or the database, are killed under load."""

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest

from notifyd.http.rate_limit import Rate
from notifyd.relay import notifications
from notifyd.relay.store.location import PostgresUrl
from support.postgres import PostgresServer
from support.visitor import CLIENT, Visitor, visiting

PATIENCE = 120
RATE = 150


@pytest.fixture
async def url(postgres_server: PostgresServer) -> PostgresUrl:
    """A database that has written a commit to its log before it is acknowledged."""
    return await postgres_server.new_schema(synchronous_commit="on")


@asynccontextmanager
async def relay_process(url: PostgresUrl):
    """Run a relay in a process of its own; yield the process and the relay's URL."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "notifyd", "relay", "--listen", "127.0.0.1:0"),
        *("--rate", str(RATE)),
        env={
            "PATH": os.environ["PATH"],
            "NOTIFYD_RELAY_DATABASE": url.with_password,
            "OBLIEN_CLIENT_ID": CLIENT.id,
            "OBLIEN_CLIENT_SECRET": CLIENT.secret,
        },
        stdout=PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            greeting = (await process.stdout.readline()).decode()
        yield process, re.search(r"http://\S+", greeting)[0]
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


class Senders:
    """They send numbered notifications, each with a key, until each was acknowledged.

    is_busy: set once some were. is_refused: set once a flood was too fast.
    """

    def __init__(self, urls: list[str], session: aiohttp.ClientSession) -> None:
        self._urls = urls
        self._session = session
        self.acknowledged: list[str] = []
        self.is_busy, self.is_refused = asyncio.Event(), asyncio.Event()

    async def send_all(self, token: str, name: str, count: int) -> None:
        left = iter(range(count))
        await asyncio.gather(*(self._send(token, name, left) for _ in range(8)))

    async def flood(self, token: str, until: asyncio.Event) -> None:
        """Send without keys, as fast as it goes, through all relays."""
        number = 0
        while not until.is_set():
            number += 1
            status = await self._post(number, token, "flood", {})
            if status == 429:
                self.is_refused.set()
            if status != 200:
                await asyncio.sleep(0.02)

    async def _send(self, token: str, name: str, left) -> None:
        for number in left:
            title, tried = f"{name} {number}", number
            while True:
                status = await self._post(tried, token, title, {"Idempotency-Key": title})
                if status == 200:
                    break
                assert status in (None, 503), status
                tried += 1
                await asyncio.sleep(0.02)
            self.acknowledged.append(title)
            if len(self.acknowledged) == 40:
                self.is_busy.set()

    async def _post(self, number: int, token: str, title: str, headers: dict) -> int | None:
        """Return the status; None if there was no answer."""
        url = f"{self._urls[number % len(self._urls)]}/notifications/send"
        headers = {"Authorization": f"Bearer {token}", **headers}
        try:
            async with self._session.post(url, json={"title": title}, headers=headers) as answer:
                return answer.status
        except aiohttp.ClientError:
            return None


async def check(visitor: Visitor, senders: Senders, shown: list[str]) -> None:
    """Check that all that was acknowledged was stored and shown once, and the rate."""
    store = visitor.relay.store
    stored = await store.read(notifications.after, 0, 100_000)
    assert Counter(each.title for each in stored if each.title != "flood") == Counter(
        senders.acknowledged
    )
    assert shown == [each.title for each in stored]
    by_workspace: dict[str, list] = {}
    for each in stored:
        by_workspace.setdefault(each.workspace_id, []).append(each)
    for kept in by_workspace.values():
        assert [each.workspace_seq for each in kept] == list(range(1, len(kept) + 1))
        times = sorted(each.received_at for each in kept)
        assert all(b - a >= 60 for a, b in zip(times, times[RATE:], strict=False))
    assert len(by_workspace["busy"]) >= RATE


async def shown_titles(visitor: Visitor, last: str) -> list[str]:
    """Return the titles that a page gets from the beginning up to one of this title.

    When the relay ends the stream, as its database is away, the page comes back, as browsers do.
    """
    titles, cursor = [], "v1.0.0"
    while not titles or titles[-1] != last:
        with suppress(EOFError, AssertionError):  # refused, until the database is back
            async with visitor.page(cursor) as page:
                while not titles or titles[-1] != last:
                    event = await page.event()
                    cursor = event.id or cursor
                    if event.kind == "notification":
                        titles.append(event.data["title"])
        await asyncio.sleep(0.05)
    return titles


@pytest.mark.parametrize("killed", ["relay", "database"])
async def test_nothing_acknowledged_is_lost_or_repeated(
    postgres_server: PostgresServer, url: PostgresUrl, killed: str
) -> None:
    rate = Rate(RATE, 60.0)
    async with (
        asyncio.timeout(PATIENCE),
        visiting(url, rate=rate, wall=None) as other,
        relay_process(url) as (process, first_url),
    ):
        tokens = [(await other.minted(name))["token"] for name in ("w1", "w2", "busy")]
        senders = Senders([first_url, other.relay.url], other.session)
        ended = asyncio.Event()
        following = asyncio.create_task(shown_titles(other, "the last"))
        flooding = asyncio.create_task(senders.flood(tokens[2], ended))
        sending = asyncio.gather(
            senders.send_all(tokens[0], "a", 60), senders.send_all(tokens[1], "b", 60)
        )
        await senders.is_busy.wait()
        if killed == "relay":
            process.kill()
        else:
            postgres_server.stop()
            postgres_server.start()
        await sending
        await senders.is_refused.wait()
        ended.set()
        await flooding
        answer = await other.send(tokens[0], {"title": "the last"})
        assert answer.status == 200
        senders.acknowledged.append("the last")
        await check(other, senders, await following)
