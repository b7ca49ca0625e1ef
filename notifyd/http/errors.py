"""Error responses: a status, a snake_case code and one sentence."""

import math
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

from notifyd.model.errors import (
    NotifydError,
    RequestRefusedError,
    ShuttingDownError,
    StoreUnavailableError,
)
from notifyd.model.notifications import Json

_REFUSALS = {
    "not_found": HTTPStatus.NOT_FOUND,
    "unknown_heartbeat": HTTPStatus.NOT_FOUND,
    "forbidden": HTTPStatus.FORBIDDEN,
    "in_flight": HTTPStatus.CONFLICT,
    "finished": HTTPStatus.CONFLICT,
    "held": HTTPStatus.CONFLICT,
    "changed": HTTPStatus.CONFLICT,
    "no_room": HTTPStatus.SERVICE_UNAVAILABLE,
    "stopping": HTTPStatus.SERVICE_UNAVAILABLE,
}
"""Status for each code of a RequestRefusedError; any other code is 422."""

_NOT_STORED = "nothing can be stored at the moment; the server's log says why"
_NOT_AVAILABLE = "not available at the moment; the server's log says why"
_STORE_RETRY_AFTER = "5"
_LONGEST_QUOTE = 64


class HttpError(NotifydError):
    """An error response. Programs rely on `code`, which is stable; the sentence is for people.

    details: further fields of the body.
    """

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        sentence: str,
        headers: Mapping[str, str] = MappingProxyType({}),
        details: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        super().__init__(sentence)
        self._details = details
        self.status = status
        self.code = code
        self.headers = headers

    @property
    def body(self) -> Json:
        return {"success": False, "error": str(self), "code": self.code, **self._details}


def bad_request(sentence: str) -> HttpError:
    return HttpError(HTTPStatus.BAD_REQUEST, "bad_request", sentence)


def not_found(sentence: str) -> HttpError:
    return HttpError(HTTPStatus.NOT_FOUND, "not_found", sentence)


def rate_limited(code: str, sentence: str, wait: float) -> HttpError:
    """Return a 429 with Retry-After. wait: seconds, rounded up."""
    seconds = max(1, math.ceil(wait))
    return HttpError(
        HTTPStatus.TOO_MANY_REQUESTS,
        code,
        f"{sentence}; try again in {seconds} s",
        {"Retry-After": str(seconds)},
    )


def internal_error() -> HttpError:
    """Return the response to an unexpected exception, whose details are only logged."""
    return HttpError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "internal",
        "unexpected error while handling this request; the server's log has the details",
    )


def to_http_error(error: NotifydError, *, is_admin: bool) -> HttpError:
    """Convert any of notifyd's errors. Only admins read the daemon's paths in them."""
    if isinstance(error, HttpError):
        return error
    if isinstance(error, RequestRefusedError):
        status = _REFUSALS.get(error.code, HTTPStatus.UNPROCESSABLE_ENTITY)
        return HttpError(status, error.code, str(error))
    if isinstance(error, StoreUnavailableError):
        headers = {"Retry-After": _STORE_RETRY_AFTER}
        is_shown = is_admin or isinstance(error, ShuttingDownError)
        sentence = str(error) if is_shown else _NOT_STORED
        return HttpError(HTTPStatus.SERVICE_UNAVAILABLE, "store_unavailable", sentence, headers)
    sentence = str(error) if is_admin else _NOT_AVAILABLE
    return HttpError(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", sentence)


def printable(text: str) -> str:
    """Return at most 64 characters of a client's text, unprintable ones replaced, for quoting."""
    shown = "".join(c if c.isprintable() else "\ufffd" for c in text[:_LONGEST_QUOTE])
    return shown + "…" if len(text) > len(shown) else shown
