"""A double of the platform's whole API: aiohttp on loopback, which records and answers by plan.

async with PlatformApi() as api:
    api.plan(reply(429, {"success": False, "error": "slow"}, {"Retry-After": "0"}), reply())
    ... call api.url ...
    assert api.requests[0].path == "/sandbox"
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp
from aiohttp import web


@dataclass(frozen=True)
class Request:
    """As it came: query as pairs, headers by lower-case name, body as bytes."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b'{"success":true,"data":{}}'
    headers: dict[str, str] = field(default_factory=dict)


def reply(status: int = 200, content: Any = None, headers: dict[str, str] | None = None) -> Reply:
    """Give an answer; content: bytes as they are, else JSON; None: an empty success."""
    if content is None:
        content = {"success": True, "data": {}}
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Reply(status, body, {"Content-Type": "application/json", **(headers or {})})


class PlatformApi:
    """answer: what is sent where nothing is planned, by request.

    forward: the base URL of a server that answers instead, by path.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answer: Callable[[Request], Reply] = lambda _: reply()
        self.forward: dict[str, str] = {}
        self._plan: deque[Reply] = deque()
        self._runner: web.AppRunner | None = None
        self._changed = asyncio.Condition()
        self.url = ""

    def plan(self, *replies: Reply) -> None:
        self._plan.extend(replies)

    async def wait(self, count: int, within: float = 45) -> list[Request]:
        """Return the requests once there are `count`; TimeoutError after `within` seconds."""
        async with asyncio.timeout(within), self._changed:
            await self._changed.wait_for(lambda: len(self.requests) >= count)
        return self.requests

    async def _handle(self, request: web.Request) -> web.Response:
        seen = Request(
            request.method,
            request.path,
            list(request.query.items()),
            {name.lower(): value for name, value in request.headers.items()},
            await request.read(),
        )
        async with self._changed:
            self.requests.append(seen)
            self._changed.notify_all()
        if seen.path in self.forward:
            return await self._forwarded(seen)
        chosen = self._plan.popleft() if self._plan else self.answer(seen)
        return web.Response(status=chosen.status, body=chosen.body, headers=chosen.headers)

    async def _forwarded(self, seen: Request) -> web.Response:
        kept = ("authorization", "content-type", "idempotency-key")
        headers = {name: seen.headers[name] for name in kept if name in seen.headers}
        url = self.forward[seen.path] + seen.path
        async with (
            aiohttp.ClientSession() as session,
            session.request(seen.method, url, data=seen.body, headers=headers) as answer,
        ):
            return web.Response(status=answer.status, body=await answer.read())

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=1 << 28)
        app.router.add_route("*", r"/{path:[\s\S]*}", self._handle)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
