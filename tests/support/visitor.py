"""A client of a running relay: it manages tokens, sends, and opens the inbox page."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import aiohttp

from notifyd.relay.credentials import ClientCredentials
from notifyd.relay.server import Relay, open_relay
from support.event_reader import EventReader

CLIENT = ClientCredentials("client_of_the_tests", "a secret of the tests")


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    json: dict


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
    async def page(self, last: str | None = None) -> AsyncIterator[EventReader]:
        """Open the inbox's event stream, as its page does."""
        url = self.relay.inbox_url.replace("/inbox?", "/inbox/events?")
        headers = {} if last is None else {"Last-Event-ID": last}
        async with self.session.get(url, headers=headers) as response:
            assert response.status == 200, await response.text()
            assert response.content_type == "text/event-stream"
            yield EventReader(response.content)


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
