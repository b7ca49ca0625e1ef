"""Server-Sent Events to one client."""

import json
from collections.abc import Mapping
from typing import Self

from aiohttp import web

from notifyd.http.connection import BoundedConnection
from notifyd.http.responses import HEADERS
from notifyd.model.notifications import Json


class EventStream:
    """A response without an end of its own; it ends when either side closes.

    Each method raises ConnectionError after the client has closed.
    """

    def __init__(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        self._request = request
        self.response = response

    @classmethod
    async def open(cls, request: web.BaseRequest, headers: Mapping[str, str], retry: float) -> Self:
        """Begin the response. retry: seconds after which a client reconnects."""
        if isinstance(request.protocol, BoundedConnection):
            request.protocol.begin_stream()
        response = web.StreamResponse(
            # X-Accel-Buffering: nginx as a proxy would hold events back.
            headers={**HEADERS, "X-Accel-Buffering": "no", **headers}
        )
        response.content_type = "text/event-stream"
        await response.prepare(request)
        await response.write(b"retry: %d\n\n" % (retry * 1000))
        return cls(request, response)

    @property
    def is_connected(self) -> bool:
        transport = self._request.transport
        return transport is not None and not transport.is_closing()

    async def send(self, event: str, data: Json, event_id: int | None = None) -> None:
        """Send one event. event_id: sent back as Last-Event-ID when the client reconnects."""
        head = "" if event_id is None else f"id: {event_id}\n"
        await self.response.write(f"{head}event: {event}\ndata: {json.dumps(data)}\n\n".encode())

    async def keep_alive(self) -> None:
        await self.response.write(b": keep-alive\n\n")
