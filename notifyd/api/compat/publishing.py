"""ntfy's and gotify's publishing APIs: their routes, and errors in the form their clients read."""

from collections.abc import Hashable

from aiohttp import web

from notifyd.api.auth import ApiCaller
from notifyd.api.compat import gotify, ntfy
from notifyd.api.compat.publisher import Publisher
from notifyd.api.control import Control
from notifyd.http.errors import HttpError, not_found, printable
from notifyd.http.operations import Operation
from notifyd.http.rate_limit import RateLimiter
from notifyd.http.request import Request
from notifyd.http.responses import error_response
from notifyd.http.routing import HttpRoute


def publishing_routes(
    control: Control, limiter: RateLimiter[Hashable]
) -> list[HttpRoute[ApiCaller]]:
    """Return the routes, which come after all of notifyd's own."""
    publisher = Publisher(control, limiter)
    return [*gotify.GotifyRoutes(publisher).routes(), *ntfy.NtfyRoutes(publisher).routes()]


_CLOSED = Operation(
    "Refuse clients of ntfy, which need [socket] compat", source="https://docs.ntfy.sh/publish/"
)


def closed_routes() -> list[HttpRoute[ApiCaller]]:
    """Return routes that name the setting, for a socket that does not take these forms."""
    return [
        HttpRoute(method, "/{topic}", _name_setting, operation=_CLOSED)
        for method in ("POST", "PUT")
    ]


async def _name_setting(request: Request[ApiCaller]) -> web.Response:
    shown = printable(request.http.path)
    fix = "clients of ntfy and gotify need compat = true in [socket]"
    raise not_found(f"no such path: {shown}; {fix}")


def refusal(request: web.BaseRequest, error: HttpError) -> web.Response:
    """Return an error of a request that no route has seen, in the form of its path."""
    first, _, rest = request.path.removeprefix("/").partition("/")
    if request.path == gotify.PATH:
        return gotify.error_response(error)
    if request.method in ("POST", "PUT") and not rest and first not in ntfy.OWN_WORDS:
        return ntfy.error_response(error)
    return error_response(error)
