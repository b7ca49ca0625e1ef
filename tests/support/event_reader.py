"""Reads Server-Sent Events, as a page or a program does."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import aiohttp


class Event(NamedTuple):
    kind: str
    id: str
    data: dict


class EventReader:
    """comments: the lines that clients ignore."""

    def __init__(self, stream: aiohttp.StreamReader) -> None:
        self._stream = stream
        self.comments: list[str] = []

    async def event(self) -> Event:
        """Wait for the next event, skipping comments and `retry`; EOFError at the end."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(45):
            while "event" not in fields:
                block = await self._stream.readuntil(b"\n\n")
                if not block:
                    raise EOFError("the server ended the stream")
                lines = block.decode().splitlines()
                fields = dict(line.split(": ", 1) for line in lines if line)
                self.comments += [fields[""]] if "" in fields else []
        return Event(fields["event"], fields.get("id", ""), json.loads(fields["data"]))

    async def until_live(self) -> list[Event]:
        """Read the events that are replayed at the beginning."""
        replayed = []
        while (event := await self.event()).kind != "live":
            replayed.append(event)
        return replayed

    async def until_end(self) -> list[Event]:
        rest = []
        try:
            while True:
                rest.append(await self.event())
        except EOFError:
            return rest


@asynccontextmanager
async def following(
    where: Path | str, last: str | None = None, query: str = "", **headers: str
) -> AsyncIterator[EventReader]:
    """Open the event stream of a daemon on its socket or at its URL."""
    connector = aiohttp.UnixConnector(str(where)) if isinstance(where, Path) else None
    base = "http://localhost" if isinstance(where, Path) else where
    headers |= {} if last is None else {"Last-Event-ID": last}
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get(f"{base}/v1/events{query}", headers=headers) as response,
    ):
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        yield EventReader(response.content)
