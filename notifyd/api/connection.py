"""One client's connection, with a limit on everything that it could drag out."""

import asyncio
import math
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http import RawRequestMessage

from notifyd.api.auth import Authorizer, Caller
from notifyd.api.errors import ApiError, bad_request, internal, printable
from notifyd.api.responses import answered, raw

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_PROTOCOL: dict[str, Any] = {
    "access_log": None,
    "auto_decompress": False,
    "tcp_keepalive": False,
    "max_field_size": 4096,
    "max_headers": 48,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds for each part of a request, and how much may be going on at once.

    head: from a request's first byte to the end of its headers. body: for all of the body.
    linger: for what a client goes on sending after its refusal. write: how long an answer may
    wait for a client that does not read. idle: between requests.
    stalled: connections of one user whose answers wait so.
    """

    head: float = 10.0
    body: float = 10.0
    linger: float = 2.0
    write: float = 10.0
    idle: float = 30.0
    connections: int = 512
    per_user: int = 256
    stalled: int = 16


class Connections(web.Server):
    """Makes the connections and counts them, by user."""

    def __init__(self, handler: Handler, admins: Authorizer, limits: Limits) -> None:
        super().__init__(handler)
        self.limits = limits
        self.admins = admins
        self.open: Counter[int] = Counter()
        self.stalled: Counter[int] = Counter()

    def __call__(self) -> "Connection":
        return Connection(self, asyncio.get_running_loop())

    def full(self, uid: int) -> bool:
        return (
            self.open[uid] >= self.limits.per_user or self.open.total() >= self.limits.connections
        )


class Connection(web.RequestHandler):
    """aiohttp's protocol, which sets no time for a request's head or for reading the answer."""

    __slots__ = (
        "_clock",
        "_counted",
        "_deadline",
        "_ended",
        "_limits",
        "_owner",
        "_silent",
        "_stall",
        "_wire",
        "caller",
    )

    caller: Caller

    def __init__(self, owner: Connections, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(owner, loop=loop, lingering_time=owner.limits.linger, **_PROTOCOL)
        self._owner = owner
        self._limits = owner.limits
        self._clock: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._deadline = math.inf
        self._counted = False
        self._ended = False
        self._silent = False
        self._wire: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        sock: socket.socket = transport.get_extra_info("socket")
        self.caller = self._owner.admins.caller(sock)
        uid = self.caller.peer.uid
        if isinstance(transport, asyncio.Transport):
            self._wire = transport
        if self._wire is not None and self._owner.full(uid):
            self.close()
            self._wire.write(_TOO_MANY)
            self._wire.close()
            return
        self._owner.open[uid] += 1
        self._counted = True
        super().connection_made(transport)
        self._deadline = self._loop.time() + self._limits.head
        self._look()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.resume_stalled()
        if self._clock is not None:
            self._clock.cancel()
        if self._counted:
            self._counted = False
            _less(self._owner.open, self.caller.peer.uid)
        super().connection_lost(exc)

    # --- the request's head, and the time between requests

    def data_received(self, data: bytes) -> None:
        if self._silent and data:
            self._silent = False
            self._deadline = self._loop.time() + self._limits.head
        super().data_received(data)
        self._fail_broken_body()

    def _fail_broken_body(self) -> None:
        """Tell the handler of a body that cannot be parsed on; aiohttp lets it wait."""
        request = self._current_request
        if request is None or request.content.is_eof() or not self._messages:
            return
        if not isinstance(self._messages[-1][0], RawRequestMessage):
            request.content.set_exception(web.RequestPayloadError("broken"))
            request.content.feed_eof()
            self._messages.clear()
            self.close()

    def busy(self) -> None:
        """Leave the time to the handler, now that a complete head has come."""
        self._silent = False
        self._deadline = math.inf

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        result = await super().finish_response(request, resp, start_time)
        self._silent = True
        self._deadline = self._loop.time() + self._limits.idle
        if self._ended and not self._messages:
            self.close()
        return result

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio asks, aiohttp never says
        """Answer what came before the client closed its half, where aiohttp would hang up."""
        self._ended = True
        if self._waiter is not None and not self._waiter.done():
            self.force_close()
        return True

    def _look(self) -> None:
        """End a connection whose time is up; one timer serves it however many requests come."""
        if self.transport is None:
            return
        now = self._loop.time()
        if now < self._deadline:
            self._clock = self._loop.call_at(
                min(self._deadline, now + self._limits.head), self._look
            )
            return
        if not self._silent:
            self.transport.write(_TOO_SLOW)
        self.force_close()

    # --- an answer that is not read

    def pause_writing(self) -> None:
        super().pause_writing()
        stalled, uid = self._owner.stalled, self.caller.peer.uid
        stalled[uid] += 1
        patience = self._limits.write if stalled[uid] <= self._limits.stalled else 0.0
        self._stall = self._loop.call_later(patience, self._abort)

    def resume_writing(self) -> None:
        self.resume_stalled()
        super().resume_writing()

    def resume_stalled(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
            _less(self._owner.stalled, self.caller.peer.uid)

    def _abort(self) -> None:
        # Not self.transport: aiohttp forgets it when it closes, with the answer still unread.
        if self._wire is not None:
            self._wire.abort()

    # --- what aiohttp would answer itself, as text

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            # The parser's own words quote the client's bytes over several lines.
            reason = (message or "malformed").partition("\n")[0].partition(": b")[0].rstrip(":. ")
            refusal = bad_request(f"This is no valid HTTP request: {printable(reason)}.")
        else:
            refusal = internal()
            if not isinstance(exc, ConnectionError):
                structlog.get_logger("notifyd.api").error(
                    "request failed", method=request.method, path=request.path, exc_info=exc
                )
        response = answered(refusal)
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        structlog.get_logger("notifyd.api").error("connection failed", detail=args, **kw)


def _less(counter: Counter[int], uid: int) -> None:
    counter[uid] -= 1
    if counter[uid] <= 0:
        del counter[uid]


_TOO_SLOW = raw(
    ApiError(
        HTTPStatus.REQUEST_TIMEOUT,
        "too_slow",
        "No complete request came in time: send its headers in one go.",
    )
)
_TOO_MANY = raw(
    ApiError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "too_many_connections",
        "There are too many connections at once: close some and try again.",
        {"Retry-After": "1"},
    )
)
