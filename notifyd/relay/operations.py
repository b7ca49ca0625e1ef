"""For who operates the relay: /healthz and /metrics."""

from base64 import b64decode
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus

from aiohttp import hdrs, web

from notifyd import __version__
from notifyd.http.event_stream import OpenStreams
from notifyd.http.open_connections import RemoteClient
from notifyd.http.request import Request
from notifyd.http.responses import content_response, json_response
from notifyd.http.routing import HttpRoute
from notifyd.model.errors import StoreUnavailableError
from notifyd.relay import credentials, fleet, notifications
from notifyd.relay.access import unauthorized
from notifyd.relay.credentials import StoredClient
from notifyd.relay.request_log import RequestLog
from notifyd.relay.store.base import RelayStore

HEALTH_PATH = "/healthz"
"""It says one word and no more, so it needs neither credentials nor a certain Host."""


class Operations:
    """client: the one that counts; None for the one in the store."""

    def __init__(
        self,
        store: RelayStore,
        client: StoredClient | None,
        pages: OpenStreams,
        wall: Callable[[], float],
    ) -> None:
        self._store = store
        self._client = client
        self._pages = pages
        self._wall = wall
        self.requests: RequestLog | None = None

    def routes(self) -> list[HttpRoute[RemoteClient]]:
        return [
            HttpRoute("GET", HEALTH_PATH, self._health),
            HttpRoute("GET", "/metrics", self._metrics),
        ]

    async def _health(self, _request: Request[RemoteClient]) -> web.Response:
        word = "stopping" if self._pages.is_closing else await self._store_state()
        is_ok = word == "ok"
        status = HTTPStatus.OK if is_ok else HTTPStatus.SERVICE_UNAVAILABLE
        return json_response({"success": is_ok, "status": word}, status)

    async def _store_state(self) -> str:
        try:
            await self._store.read(notifications.newest_seq)
        except StoreUnavailableError:
            return "store_unavailable"
        return "ok"

    async def _metrics(self, request: Request[RemoteClient]) -> web.Response:
        # Not for every address of this machine: a proxy on it would open them to the world.
        client = self._client or await self._store.read(credentials.load_client)
        if client is None or not client.has_credentials(*_given_credentials(request)):
            raise unauthorized("wrong client credentials; send them as Basic authentication")
        from notifyd.relay.metrics import RelayFigures, render_metrics  # noqa: PLC0415 - on first use

        figures = RelayFigures(
            version=__version__,
            requests=Counter() if self.requests is None else self.requests.counts,
            request_seconds=0.0 if self.requests is None else self.requests.seconds,
            pages=self._pages.connected,
            stored=await self._store.read(notifications.count),
            newest=await self._store.read(notifications.newest_seq),
            workspaces=await self._store.read(fleet.count_states, self._wall()),
        )
        return content_response(render_metrics(figures), "text/plain; version=0.0.4; charset=utf-8")


def _given_credentials(request: Request[RemoteClient]) -> tuple[str, str]:
    """Return the id and the secret from X-Client-ID and X-Client-Secret, or from Basic."""
    scheme, _, encoded = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() == "basic":
        try:
            text = b64decode(encoded.strip(), validate=True).decode()
        except ValueError:
            text = ""
        client_id, _, secret = text.partition(":")
        return client_id, secret
    return request.headers.get("X-Client-ID", ""), request.headers.get("X-Client-Secret", "")
