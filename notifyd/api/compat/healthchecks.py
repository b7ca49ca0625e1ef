"""The URLs of healthchecks.io's pinging API, below `/ping/` with `[listen] ping_key`.

Its clients need `http://ADDRESS/ping` as the ping URL, the ping key, and a heartbeat's name as the
slug. Source of the forms and answers: https://healthchecks.io/docs/http_api/
"""

import hmac
from collections.abc import Callable, Hashable, Mapping
from http import HTTPStatus
from uuid import UUID

from aiohttp import web
from pydantic import SecretStr

from notifyd.api.control import Control
from notifyd.api.pings import Signal, parse_signal, read_output
from notifyd.http.errors import to_http_error
from notifyd.http.open_connections import RemoteClient
from notifyd.http.operations import Operation
from notifyd.http.rate_limit import RateLimiter
from notifyd.http.request import Request
from notifyd.http.responses import HEADERS
from notifyd.http.routing import HttpRoute
from notifyd.model.errors import NotifydError
from notifyd.model.pings import Ping, PingSignal

PREFIX = "/ping/"

LARGEST_BODY = 64 << 20
"""Bytes of a body, of which the end is kept; healthchecks.io ignores what is more than 100 kB."""

_CLIENT = "ping"
"""The one client that all who know the key are, for the rate limit."""

_PATHS = ("/ping/{key}/{name}", "/ping/{key}/{name}/{signal}")
_PLAIN = {
    HTTPStatus.NOT_FOUND: "not found",
    HTTPStatus.TOO_MANY_REQUESTS: "rate limited",
}
"""The texts that clients know. Any other error is a sentence of notifyd's."""


_PING = Operation(
    "Ping in the form of healthchecks.io", source="https://healthchecks.io/docs/http_api/"
)


class HealthchecksRoutes:
    """read_key: returns the key in force; None without `[listen] ping_key`."""

    def __init__(
        self,
        control: Control,
        limiter: RateLimiter[Hashable],
        read_key: Callable[[], SecretStr | None],
    ) -> None:
        self._control, self._limiter, self._read_key = control, limiter, read_key

    def routes(self) -> list[HttpRoute[RemoteClient]]:
        paths = [*_PATHS, *(f"{path}/" for path in _PATHS)]
        return [
            HttpRoute(method, path, self._answer, operation=_PING)
            for path in paths
            for method in ("GET", "POST")
        ]

    async def _answer(self, request: Request[RemoteClient]) -> web.Response:
        try:
            return await self._ping(request)
        except NotifydError as error:
            failure = to_http_error(error, is_admin=False)
            return _text(failure.status, _PLAIN.get(failure.status, str(failure)), failure.headers)

    async def _ping(self, request: Request[RemoteClient]) -> web.Response:
        if not self._knows_key(request.parameters["key"]):
            return _text(HTTPStatus.NOT_FOUND, _PLAIN[HTTPStatus.NOT_FOUND])
        await self._limiter.take(_CLIENT)
        text = request.parameters.get("signal")
        signal = Signal(PingSignal.SUCCESS) if text is None else parse_signal(text)
        if signal is None:
            return _text(HTTPStatus.BAD_REQUEST, "invalid url format")
        given = request.http.query.get("rid", "")
        run = _normalized_uuid(given) if given else ""
        if run is None:
            return _text(HTTPStatus.BAD_REQUEST, "invalid uuid format")
        output = await read_output(request) if request.http.method == "POST" else ""
        ping = Ping(request.parameters["name"], signal.signal, run, signal.exit_status, output)
        await self._control.ping(ping, is_admin=False)
        return _text(HTTPStatus.OK, "OK")

    def _knows_key(self, given: str) -> bool:
        key = self._read_key()
        if key is None:
            return False
        return hmac.compare_digest(
            given.encode("utf-8", "surrogateescape"), key.get_secret_value().encode()
        )


def _text(status: HTTPStatus, text: str, headers: Mapping[str, str] = HEADERS) -> web.Response:
    plain = {"Content-Type": "text/plain; charset=utf-8"}
    return web.Response(
        status=status, body=text.encode("utf-8", "replace"), headers={**HEADERS, **headers, **plain}
    )


def _normalized_uuid(text: str) -> str | None:
    try:
        return str(UUID(text))
    except ValueError:
        return None
