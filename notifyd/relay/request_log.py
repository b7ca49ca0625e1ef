"""Every request of the relay: counted by status, and logged if wanted, without secrets."""

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl, urlencode

import structlog
from aiohttp import web

from notifyd.http.errors import to_http_error
from notifyd.http.open_connections import RemoteClient
from notifyd.model.errors import NotifydError

log = structlog.get_logger()

Respond = Callable[[web.BaseRequest, RemoteClient], Awaitable[web.StreamResponse]]

_SHOWN = frozenset({"view", "limit", "before", "since", "after", "period", "wait"})
"""Query parameters whose values are logged; those of others may be secret."""

_FAILED, _ABORTED = 500, 499


class RequestLog:
    """counts: answered requests by status; 499: the client left before the answer ended."""

    def __init__(self, respond: Respond, *, is_logging: bool) -> None:
        self._respond = respond
        self._is_logging = is_logging
        self.counts: Counter[int] = Counter()
        self.seconds = 0.0

    async def __call__(self, request: web.BaseRequest, remote: RemoteClient) -> web.StreamResponse:
        started, status = time.perf_counter(), _ABORTED
        try:
            response = await self._respond(request, remote)
            status = response.status
        except NotifydError as error:
            status = to_http_error(error, is_admin=False).status
            raise
        except Exception:
            status = _FAILED
            raise
        else:
            return response
        finally:
            self._record(request, remote, status, time.perf_counter() - started)

    def _record(
        self, request: web.BaseRequest, remote: RemoteClient, status: int, seconds: float
    ) -> None:
        self.counts[status] += 1
        self.seconds += seconds
        if self._is_logging:
            log.info(
                "request",
                method=request.method[:16],
                path=mask_query(request.rel_url.raw_path_qs),
                status=int(status),
                ms=round(seconds * 1000, 1),
                remote=remote.address,
            )


def mask_query(target: str) -> str:
    """Return a path with its query, without values that may be secret."""
    path, separator, query = target[:2000].partition("?")
    pairs = parse_qsl(query, keep_blank_values=True, errors="replace")
    masked = [(name, value if name in _SHOWN else "***") for name, value in pairs]
    return path + separator + urlencode(masked, safe="*")
