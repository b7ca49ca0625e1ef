"""Every answer that is not a success, in the one shape that the API has for it."""

import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from aiohttp import web

from notifyd.model.errors import RefusedError, StoreUnavailableError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_log = logging.getLogger(__name__)

_PASSED_ON = ("Allow",)
_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}


class RequestError(RefusedError):
    """A request that cannot be taken: an HTTP status, and a sentence that says why."""

    def __init__(
        self,
        status: int,
        code: str,
        sentence: str,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(code, sentence)
        self.status = status
        self.headers = headers


def unauthorized(sentence: str) -> RequestError:
    return RequestError(401, "authentication_error", sentence, {"WWW-Authenticate": "Bearer"})


def not_found(sentence: str) -> RequestError:
    return RequestError(404, "not_found", sentence)


def too_often(workspace_id: str, wait: float) -> RequestError:
    seconds = max(1, math.ceil(wait))
    return RequestError(
        429,
        "rate_limited",
        f"workspace {workspace_id} sends too often: try again in {seconds} s",
        {"Retry-After": str(seconds)},
    )


@web.middleware
async def refusals_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except RequestError as refusal:
        return _answer(refusal.status, refusal.code, str(refusal), refusal.headers)
    except web.HTTPRequestEntityTooLarge:
        limit = request.client_max_size >> 10
        return _answer(413, "too_large", f"the body is larger than {limit} KiB", {})
    except web.HTTPException as error:
        headers = {name: error.headers[name] for name in _PASSED_ON if name in error.headers}
        return _answer(error.status, _code(error), _sentence(request, error), headers)
    except StoreUnavailableError as error:
        return _answer(503, "store_unavailable", str(error), {"Retry-After": "5"})
    except Exception as error:  # noqa: BLE001 - our own fault: said here, not to the client
        what = f"{request.method} {request.path}"
        _log.error("%s failed unexpectedly: %s: %s", what, type(error).__name__, error)
        sentence = "the relay could not handle this request; what it wrote to stderr says why"
        return _answer(500, "internal", sentence, {})


def _code(error: web.HTTPException) -> str:
    return _CODES.get(error.status, error.reason.lower().replace(" ", "_"))


def _sentence(request: web.Request, error: web.HTTPException) -> str:
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return f"{request.path} does not take {request.method}: it takes {allowed}"
    if error.status == web.HTTPNotFound.status_code:
        return f"there is nothing at {request.path}"
    return error.reason


def _answer(status: int, code: str, sentence: str, headers: Mapping[str, str]) -> web.Response:
    body = {"success": False, "error": sentence, "code": code}
    return web.json_response(body, status=status, headers={"Cache-Control": "no-store", **headers})
