"""Pings of heartbeats."""

from collections.abc import Hashable
from http import HTTPStatus

from aiohttp import web

from notifyd.api.answers import PingAnswer
from notifyd.api.auth import ApiCaller
from notifyd.api.control import Control
from notifyd.api.pings import Signal, parse_signal, read_output
from notifyd.api.schemas import PingParameters
from notifyd.api.times import success
from notifyd.http.errors import HttpError, printable
from notifyd.http.operations import TEXT, Operation
from notifyd.http.rate_limit import RateLimiter
from notifyd.http.request import Request
from notifyd.http.routing import HttpRoute
from notifyd.model.pings import Ping, PingSignal

_PING = Operation(
    "Report a run of a job; the body is its output",
    query=PingParameters,
    body=TEXT,
    answers={HTTPStatus.OK: PingAnswer},
    errors=(HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS),
)


class HeartbeatRoutes:
    """A body is the job's output, whatever its content type.

    Pings have a rate of their own, so that messages do not make a job look late.
    """

    def __init__(self, control: Control, limiter: RateLimiter[Hashable]) -> None:
        self._control, self._limiter = control, limiter

    def routes(self) -> list[HttpRoute[ApiCaller]]:
        return [
            HttpRoute("POST", "/v1/heartbeats/{name}", self._ping, operation=_PING),
            HttpRoute("POST", "/v1/heartbeats/{name}/{signal}", self._ping, operation=_PING),
        ]

    async def _ping(self, request: Request[ApiCaller]) -> web.Response:
        await self._limiter.take(("ping", request.client.share_key))
        name, signal = request.parameters["name"], _signal(request.parameters.get("signal"))
        run = request.query(PingParameters).rid
        output = await read_output(request)
        ping = Ping(name, signal.signal, run, signal.exit_status, output)
        await self._control.ping(ping, is_admin=request.client.admin)
        return success(heartbeat=name, signal=signal.signal)


def _signal(text: str | None) -> Signal:
    if text is None:
        return Signal(PingSignal.SUCCESS)
    signal = parse_signal(text)
    if signal is None:
        choices = ", ".join(PingSignal)
        sentence = f"signal: use one of {choices}, or an exit status (got {printable(text)!r})"
        raise HttpError(HTTPStatus.UNPROCESSABLE_ENTITY, "wrong_field", sentence)
    return signal
