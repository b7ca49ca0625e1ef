"""A client of a running relay: it manages tokens, sends, and opens the inbox page."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import aiohttp

from notifyd.relay.credentials import ClientCredentials
from notifyd.relay.server import Relay, open_relay

CLIENT = ClientCredentials("client_of_the_tests", "a secret of the tests")


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    json: dict


class Event(NamedTuple):
    kind: str
    id: str
    data: dict


@dataclass
class Clock:
    """A clock that only a test advances."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Visitor:
    relay: Relay
    session: aiohttp.ClientSession
    client: ClientCredentials = CLIENT
    clock: Clock = field(default_factory=Clock)

    async def ask(self, method: str, path: str, **how) -> Answer:
        async with self.session.request(method, self.relay.url + path, **how) as response:
            return Answer(response.status, response.headers, await response.json())

    async def manage(self, method: str, path: str, **how) -> Answer:
        """Send a request with the client's credentials."""
        headers = {"X-Client-ID": self.client.id, "X-Client-Secret": self.client.secret}
        return await self.ask(method, path, headers=headers, **how)

    async def minted(self, workspace_id: str = "w1", **fields) -> dict:
        wanted = {"workspace_id": workspace_id, **fields}
        answer = await self.manage("POST", "/notifications/tokens", json=wanted)
        assert answer.status == 200, answer
        return answer.json["token"]

    async def send(self, token: str, note: object = None, **headers: str) -> Answer:
        """Send a notification or raw bytes; underscores in header names become hyphens."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        body = note if isinstance(note, bytes) else json.dumps(note or {"title": "Hi"}).encode()
        headers |= {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        return await self.ask("POST", "/notifications/send", headers=headers, data=body)

    @asynccontextmanager
    async def page(self, last: str | None = None) -> AsyncIterator["Page"]:
        """Open the inbox's event stream, as its page does."""
        url = self.relay.inbox_url.replace("/inbox?", "/inbox/events?")
        headers = {} if last is None else {"Last-Event-ID": last}
        async with self.session.get(url, headers=headers) as response:
            assert response.status == 200, await response.text()
            assert response.content_type == "text/event-stream"
            yield Page(response.content)


class Page:
    def __init__(self, stream: aiohttp.StreamReader) -> None:
        self._stream = stream

    async def event(self) -> Event:
        """Wait for the next event, skipping comments and `retry`."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(45):
            while "event" not in fields:
                block = await self._stream.readuntil(b"\n\n")
                if not block:
                    raise EOFError("the relay ended the stream")
                lines = block.decode().splitlines()
                fields = dict(line.split(": ", 1) for line in lines if line)
        return Event(fields["event"], fields.get("id", ""), json.loads(fields["data"]))

    async def until_live(self) -> list[Event]:
        """Read the events that are replayed when the page opens."""
        replayed = []
        while (event := await self.event()).kind != "live":
            replayed.append(event)
        return replayed


@asynccontextmanager
async def visiting(database=":memory:", **how) -> AsyncIterator[Visitor]:
    """Run a relay on a free port, with a clock that only the test advances."""
    clock = Clock()
    settings = {"client": CLIENT, "wall": clock, **how}
    async with (
        open_relay(database, **settings) as relay,
        aiohttp.ClientSession() as session,
    ):
        yield Visitor(relay, session, clock=clock)
