"""Choosing the handler by method and path, with parameters in the path."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Generic, TypeVar
from urllib.parse import unquote

from aiohttp import web

from notifyd.http.errors import HttpError, not_found, printable
from notifyd.http.operations import Operation
from notifyd.http.request import BodyLimits, Request
from notifyd.text.suggestions import did_you_mean

ClientT = TypeVar("ClientT")

_NO_PARAMETERS: Mapping[str, str] = MappingProxyType({})

Handler = Callable[[Request[ClientT]], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class HttpRoute(Generic[ClientT]):
    """path: its segment `{name}` matches any one segment that is not empty.

    A path that begins with such a segment matches the methods of its routes only, because a
    misspelt path with another method is unknown, not forbidden. It should come last.

    head: whether HEAD is answered like GET, without the body. operation: for the OpenAPI document.
    """

    method: str
    path: str
    handler: Handler[ClientT]
    head: bool = True
    operation: Operation | None = None


class HttpRouter(Generic[ClientT]):
    """Calls the handler of a request's route; HttpError (404, 405) where there is none.

    unavailable: prefixes of documented paths that this version does not serve.
    ignored: names of query parameters that handlers do not see.
    """

    def __init__(
        self,
        routes: Iterable[HttpRoute[ClientT]],
        body: BodyLimits,
        *,
        unavailable: tuple[str, ...] = (),
        ignored: frozenset[str] = frozenset(),
    ) -> None:
        self.routes = list(routes)
        self._body = body
        self._ignored = ignored
        self._unavailable = unavailable
        self._resources: dict[str, _Resource[ClientT]] = {}
        for route in self.routes:
            self._resources.setdefault(route.path, _Resource(route.path)).add(route)
        self._static = [path for path in self._resources if "{" not in path]
        self._direct = {
            path: self._resources[path]
            for path in self._static
            if self._first_match(path) is self._resources[path]
        }

    async def __call__(self, request: web.BaseRequest, client: ClientT) -> web.StreamResponse:
        resource, parameters = self._find(request)
        handler = resource.handler(request.method)
        return await handler(Request(request, client, parameters, self._body, self._ignored))

    def _first_match(self, path: str) -> "_Resource[ClientT]":
        segments = path.split("/")
        return next(each for each in self._resources.values() if each.match(segments) is not None)

    def _find(self, request: web.BaseRequest) -> "tuple[_Resource[ClientT], Mapping[str, str]]":
        path = request.rel_url.raw_path
        if direct := self._direct.get(path):
            return direct, _NO_PARAMETERS
        segments = [unquote(part) for part in path.split("/")]
        for resource in self._resources.values():
            parameters = resource.match(segments)
            if parameters is not None and not resource.passes_over(request.method):
                return resource, parameters
        raise self._not_found(request.path)

    def _not_found(self, path: str) -> HttpError:
        if path.startswith(self._unavailable):
            return HttpError(
                HTTPStatus.NOT_FOUND,
                "not_available",
                f"{printable(path)} is not available in this version of notifyd",
            )
        hint = did_you_mean(path, self._static)
        return not_found(f"no such path: {printable(path)}{hint}")


class _Resource(Generic[ClientT]):
    """The routes of one path, by method."""

    def __init__(self, path: str) -> None:
        self._segments = path.split("/")
        self._handlers: dict[str, Handler[ClientT]] = {}
        self._has_head = False

    def add(self, route: HttpRoute[ClientT]) -> None:
        self._handlers[route.method] = route.handler
        self._has_head |= route.method == "GET" and route.head

    def match(self, segments: list[str]) -> Mapping[str, str] | None:
        """Return the path's parameters; None for another path."""
        if len(segments) != len(self._segments):
            return None
        parameters: dict[str, str] = {}
        for pattern, segment in zip(self._segments, segments, strict=True):
            if pattern.startswith("{") and segment:
                parameters[pattern[1:-1]] = segment
            elif pattern != segment:
                return None
        return parameters

    def passes_over(self, method: str) -> bool:
        """Return whether a request that fits is left to other paths, because of its method."""
        return self._segments[1].startswith("{") and self._find(method) is None

    def _find(self, method: str) -> Handler[ClientT] | None:
        return self._handlers.get("GET" if method == "HEAD" and self._has_head else method)

    def handler(self, method: str) -> Handler[ClientT]:
        handler = self._find(method)
        if handler is None:
            allowed = ", ".join(self._handlers)
            raise HttpError(
                HTTPStatus.METHOD_NOT_ALLOWED,
                "method_not_allowed",
                f"{printable(method)} is not allowed here; use {allowed}",
                {"Allow": allowed},
            )
        return handler
