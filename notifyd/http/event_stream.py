"""Server-Sent Events: one stream, and all that are open at once."""

import asyncio
import json
import random
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Self

from aiohttp import web

from notifyd.http.connection import BoundedConnection
from notifyd.http.errors import HttpError
from notifyd.http.responses import HEADERS
from notifyd.model.notifications import Json

_KEEP_ALIVE = 15.0
"""Seconds of silence after which a comment is sent: a dead connection fails then."""
_WRITE_WITHIN = 60.0
"""Seconds for a client to read what is sent. It can come back and miss nothing."""
_RETRY = 2.0
"""Seconds after which a client reconnects."""
_LAST_RETRY = (1.0, 6.0)
"""Seconds between which clients are spread that reconnect after a stop of the server."""


def render_event(event: str, data: Json, event_id: str | int | None = None) -> bytes:
    """Return an event as it is sent."""
    head = "" if event_id is None else f"id: {event_id}\n"
    return f"{head}event: {event}\ndata: {json.dumps(data)}\n\n".encode()


class EventStream:
    """A response without an end of its own; it ends when either side closes.

    Each method raises ConnectionError after the client has closed.
    """

    def __init__(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        self._request = request
        self.response = response

    @classmethod
    async def open(cls, request: web.BaseRequest, headers: Mapping[str, str]) -> Self:
        """Begin the response."""
        if isinstance(request.protocol, BoundedConnection):
            request.protocol.begin_stream()
        response = web.StreamResponse(
            # X-Accel-Buffering: nginx as a proxy would hold events back.
            headers={**HEADERS, "X-Accel-Buffering": "no", **headers}
        )
        response.content_type = "text/event-stream"
        await response.prepare(request)
        await response.write(b"retry: %d\n\n" % (_RETRY * 1000))
        return cls(request, response)

    @property
    def is_connected(self) -> bool:
        transport = self._request.transport
        return transport is not None and not transport.is_closing()

    async def send(self, event: str, data: Json, event_id: str | int | None = None) -> None:
        """Send one event. event_id: sent back as Last-Event-ID when the client reconnects."""
        await self._write(render_event(event, data, event_id))

    async def send_rendered(self, events: bytes) -> None:
        """Send what `render_event` returned."""
        await self._write(events)

    async def comment(self, text: str) -> None:
        """Send a line that clients ignore."""
        await self._write(f": {text}\n\n".encode())

    async def send_retry(self) -> None:
        """Let the client reconnect after some seconds: as a last word when the server stops."""
        seconds = random.uniform(*_LAST_RETRY)  # noqa: S311 - no secret
        await self.response.write(b"retry: %d\n\n" % (seconds * 1000))

    async def keep_alive(self, event_id: str | None = None) -> None:
        """Send a comment. event_id: that of the last event which the client need not get."""
        head = "" if event_id is None else f"id: {event_id}\n"
        await self._write(f"{head}: keep-alive\n\n".encode())

    async def _write(self, text: bytes) -> None:
        """Write to a client that reads. One that has stopped gives its place to others."""
        try:
            async with asyncio.timeout(_WRITE_WITHIN):
                await self.response.write(text)
        except TimeoutError:
            if self._request.transport is not None:
                self._request.transport.abort()
            raise ConnectionResetError("the client does not read") from None


class StreamPlace:
    """The place of one stream, which is taken from the request on. stream: once it has begun."""

    def __init__(self, client: Hashable) -> None:
        self.client = client
        self.stream: EventStream | None = None
        self.changed = asyncio.Event()

    @property
    def is_taken(self) -> bool:
        return self.stream is None or self.stream.is_connected

    async def wait(self) -> bool:
        """Wait until there may be something new; False if a keep-alive is due before."""
        try:
            async with asyncio.timeout(_KEEP_ALIVE):
                await self.changed.wait()
        except TimeoutError:
            return False
        return True


class OpenStreams:
    """The streams of one kind. Each reads at its own pace when it is woken.

    wakes: how often they were, so that one of them can look for all whether there is more.
    most: at once. per_client: of them for one client. noun, code: for the error at a limit. pace:
    seconds between two wakes at least; the first comes at once.
    """

    def __init__(
        self, *, most: int, per_client: int, noun: str, code: str, pace: float = 0.0
    ) -> None:
        self._pace, self._is_due = pace, False
        self._pacing: asyncio.TimerHandle | None = None
        self._most, self._per_client = most, per_client
        self._noun, self._code = noun, code
        self._places: set[StreamPlace] = set()
        self.is_closing = False
        self.wakes = 0

    @property
    def connected(self) -> int:
        """How many clients are connected now."""
        return len(self.clients)

    @property
    def clients(self) -> list[Hashable]:
        """Who is connected now; whoever has several streams is there as often."""
        return [
            place.client for place in self._places if place.stream is not None and place.is_taken
        ]

    @contextmanager
    def admit(
        self, client: Hashable = None, *, is_privileged: bool = False
    ) -> Iterator[StreamPlace]:
        """Reserve a place while inside; HttpError (503) if all are taken.

        is_privileged: whether only the client's own limit counts.
        """
        taken = [place for place in self._places if place.is_taken]
        own = sum(place.client == client for place in taken)
        if own >= self._per_client or (len(taken) >= self._most and not is_privileged):
            number = own if own >= self._per_client else len(taken)
            sentence = f"{number} {self._noun} are open; close some"
            raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, self._code, sentence)
        place = StreamPlace(client)
        self._places.add(place)
        try:
            yield place
        finally:
            self._places.discard(place)

    def wake(self) -> None:
        """Wake the streams at once, or when their pace allows it."""
        if self._pacing is not None:
            self._is_due = True
            return
        self._wake_now()
        if self._pace:
            self._pacing = asyncio.get_running_loop().call_later(self._pace, self._end_pacing)

    def close(self) -> None:
        """End every stream, now and later."""
        self.is_closing = True
        if self._pacing is not None:
            self._pacing.cancel()
        self._wake_now()

    def _end_pacing(self) -> None:
        self._pacing = None
        if self._is_due:
            self._is_due = False
            self.wake()

    def _wake_now(self) -> None:
        self.wakes += 1
        for place in self._places:
            place.changed.set()
