"""From a method and a path to the handler, with the parameters that the path holds."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Generic, TypeVar
from urllib.parse import unquote

from aiohttp import web

from notifyd.http.errors import HttpError, not_found, printable
from notifyd.http.request import BodyLimits, Request
from notifyd.text.suggestions import did_you_mean

C = TypeVar("C")

Handler = Callable[[Request[C]], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route(Generic[C]):
    """path: segments, of which `{name}` takes any one that is not empty.

    head: whether HEAD is answered as GET is, without the body.
    """

    method: str
    path: str
    handler: Handler[C]
    head: bool = True


class Router(Generic[C]):
    """Calls the handler of the route that a request names; HttpError where there is none.

    unavailable: prefixes of paths that this version does not serve, though its contract names
    them.
    """

    def __init__(
        self, routes: Iterable[Route[C]], body: BodyLimits, *, unavailable: tuple[str, ...] = ()
    ) -> None:
        self._body = body
        self._unavailable = unavailable
        self._resources: dict[str, _Resource[C]] = {}
        for route in routes:
            self._resources.setdefault(route.path, _Resource(route.path)).add(route)
        self._static = [path for path in self._resources if "{" not in path]

    async def __call__(self, request: web.BaseRequest, client: C) -> web.StreamResponse:
        segments = [unquote(part) for part in request.rel_url.raw_path.split("/")]
        for resource in self._resources.values():
            parameters = resource.match(segments)
            if parameters is not None:
                handler = resource.handler(request.method)
                return await handler(Request(request, client, parameters, self._body))
        raise self._not_found(request.path)

    def _not_found(self, path: str) -> HttpError:
        if path.startswith(self._unavailable):
            return HttpError(
                HTTPStatus.NOT_FOUND,
                "not_available",
                f"{printable(path)} is not available in this version of notifyd",
            )
        hint = did_you_mean(path, self._static)
        return not_found(f"there is nothing at {printable(path)}{hint}")


class _Resource(Generic[C]):
    """The routes of one path, by method."""

    def __init__(self, path: str) -> None:
        self._segments = path.split("/")
        self._handlers: dict[str, Handler[C]] = {}
        self._has_head = False

    def add(self, route: Route[C]) -> None:
        self._handlers[route.method] = route.handler
        self._has_head |= route.method == "GET" and route.head

    def match(self, segments: list[str]) -> Mapping[str, str] | None:
        """Return the path's parameters, or None where it is another path."""
        if len(segments) != len(self._segments):
            return None
        parameters: dict[str, str] = {}
        for wanted, given in zip(self._segments, segments, strict=True):
            if wanted.startswith("{") and given:
                parameters[wanted[1:-1]] = given
            elif wanted != given:
                return None
        return parameters

    def handler(self, method: str) -> Handler[C]:
        name = "GET" if method == "HEAD" and self._has_head else method
        handler = self._handlers.get(name)
        if handler is None:
            allowed = ", ".join(self._handlers)
            raise HttpError(
                HTTPStatus.METHOD_NOT_ALLOWED,
                "method_not_allowed",
                f"{printable(method)} is not allowed here; use {allowed}",
                {"Allow": allowed},
            )
        return handler
