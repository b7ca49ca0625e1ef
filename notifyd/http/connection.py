"""One client's connection, with a time limit for every phase of a request."""

import asyncio
import math
import traceback
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Generic, TypeVar

import structlog
from aiohttp import web

from notifyd.http.aiohttp_internals import RequestProtocol, has_begun_response
from notifyd.http.errors import HttpError, bad_request, internal_error, printable
from notifyd.http.open_connections import ConnectedClient, ConnectionLimits, OpenConnections
from notifyd.http.responses import error_response, raw_error_response

log = structlog.get_logger()

ClientT = TypeVar("ClientT", bound=ConnectedClient)

_OPTIONS: dict[str, Any] = {"access_log": None, "auto_decompress": False}


class BoundedConnection(RequestProtocol, Generic[ClientT]):
    """aiohttp's protocol with deadlines, counted by `OpenConnections`.

    It waits for a request, is busy while a handler works on it, and waits for the next one.
    """

    __slots__ = (
        "_connections",
        "_deadline",
        "_identify",
        "_is_counted",
        "_is_half_closed",
        "_is_idle",
        "_is_streaming",
        "_limits",
        "_request",
        "_stall_timer",
        "_timer",
        "_transport",
        "client",
    )

    client: ClientT
    """Set when the connection is made."""

    def __init__(
        self,
        server: web.Server,
        identify: Callable[[asyncio.BaseTransport], ClientT],
        limits: ConnectionLimits,
        connections: OpenConnections,
    ) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            **_OPTIONS,
            lingering_time=limits.linger,
            max_field_size=limits.header_size,
            max_headers=limits.headers,
        )
        self._identify = identify
        self._limits = limits
        self._connections = connections
        self._transport = asyncio.Transport()
        self._timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._deadline = math.inf
        self._is_counted = False
        self._is_half_closed = False
        self._is_idle = False
        self._is_streaming = False
        self._request: web.BaseRequest | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"{transport!r} cannot be read and written")
        # aiohttp drops its reference on closing, when the response may still be unread.
        self._transport = transport
        self.client = self._identify(transport)
        if not self._connections.make_room(self.client):
            self.close()
            transport.write(_TOO_MANY)
            transport.close()
            return
        self._connections.add(self)
        self._is_counted = True
        super().connection_made(transport)
        self._deadline = self.event_loop.time() + self._limits.head
        self._check_deadline()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._cancel_stall()
        if self._timer is not None:
            self._timer.cancel()
        if self._is_counted:
            self._is_counted = False
            self._connections.remove(self)
        super().connection_lost(exc)

    def evict(self) -> None:
        """Close this connection, which waits, to make room for another."""
        has_begun = self._request is not None and has_begun_response(self._request)
        if not (self._is_idle or has_begun):
            self._transport.write(_TOO_MANY)
        self.force_close()

    # --- the request's headers, and the time between requests

    def data_received(self, data: bytes) -> None:
        if self._is_idle and data:
            self._is_idle = False
            self._deadline = self.event_loop.time() + self._limits.head
        super().data_received(data)
        self.fail_broken_body()

    def begin_request(self, request: web.BaseRequest) -> None:
        """Suspend the deadline: the headers are complete, and the handler has its own limits.

        HttpError (503) when the client has too many requests at work.
        """
        self._is_idle = False
        self._request = request
        self._deadline = math.inf
        if request.content.is_eof():
            self.begin_work()

    def begin_work(self) -> None:
        """Keep the connection until the response: the whole request has arrived.

        HttpError (503) when the client has too many requests at work.
        """
        if self._is_counted and not self._connections.set_busy(self):
            raise _too_many()

    def begin_stream(self) -> None:
        """Close the connection when the client closes its half, as a stream has no other end.

        HttpError (503) when the client has too many requests at work.
        """
        self.begin_work()
        self._is_streaming = True
        if self._is_half_closed:
            self.force_close()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        result = await super().finish_response(request, resp, start_time)
        self._is_idle = True
        self._is_streaming = False
        self._request = None
        self._deadline = self.event_loop.time() + self._limits.idle
        if self._is_counted:
            self._connections.set_waiting(self)
        if self._is_half_closed and not self.has_parsed_requests:
            self.close()
        return result

    def eof_received(self) -> bool:  # type: ignore[override]  # aiohttp returns None
        """Answer the requests that arrived before the client closed its half."""
        self._is_half_closed = True
        if self._is_streaming or self.is_between_requests:
            self.force_close()
        return True

    def _check_deadline(self) -> None:
        """Close the connection after its deadline; one timer serves all its requests."""
        now = self.event_loop.time()
        if self._transport.is_closing():
            # The rest of a response waits for a client that does not read.
            self._deadline = min(self._deadline, now + self._limits.write)
        if now >= self._deadline:
            if self._transport.is_closing():
                self._transport.abort()
                return
            if not self._is_idle:
                self._transport.write(_TOO_SLOW)
            self.force_close()
            self._deadline = now + self._limits.write
        self._timer = self.event_loop.call_at(
            min(self._deadline, now + self._limits.head), self._check_deadline
        )

    # --- a response that is not read

    def pause_writing(self) -> None:
        super().pause_writing()
        seconds = self._limits.write if self._connections.add_stalled(self.client) else 0.0
        self._stall_timer = self.event_loop.call_later(seconds, self._transport.abort)

    def resume_writing(self) -> None:
        self._cancel_stall()
        super().resume_writing()

    def _cancel_stall(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None
            self._connections.remove_stalled(self.client)

    # --- errors that aiohttp would answer in plain text

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            # The parser quotes the client's bytes over several lines.
            reason = (message or "malformed").partition("\n")[0].partition(": b")[0].rstrip(":. ")
            error = bad_request(f"not a valid HTTP request: {printable(reason)}")
        else:
            error = internal_error()
            if not isinstance(exc, ConnectionError):
                log.error(
                    "request failed",
                    method=request.method,
                    path=_loggable(request.path),
                    **_cause(exc),
                )
        if has_begun_response(request):
            raise ConnectionError("the response has begun and can only be cut off")
        response = error_response(error)
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        error = kw.get("exc_info")
        cause = _cause(error) if isinstance(error, BaseException) else {}
        log.error("connection failed", detail=" ".join(map(str, args)), **cause)


def _loggable(path: str) -> str:
    """Return a path without the secret with which the paths of pings begin."""
    return "/ping/…" if path.startswith("/ping/") else path


def _cause(error: BaseException | None) -> dict[str, str]:
    """Describe an exception without a traceback, whose local variables may hold secrets."""
    if error is None:
        return {}
    frames = traceback.extract_tb(error.__traceback__)
    at = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown"
    return {"error": f"{type(error).__name__}: {error}", "at": at}


def _too_many() -> HttpError:
    return HttpError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "too_many_connections",
        "too many connections; close some and try again",
        {"Retry-After": "1"},
    )


_TOO_SLOW = raw_error_response(
    HttpError(
        HTTPStatus.REQUEST_TIMEOUT,
        "too_slow",
        "no complete request arrived in time; send its headers in one go",
    )
)
_TOO_MANY = raw_error_response(_too_many())
