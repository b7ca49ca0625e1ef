"""A typed async client of the platform's API.

async with Client(client_id="…", client_secret="…") as client:
metrics = await client.sandbox.metrics("sb_1")
answer = await client.request("GET", "/credits/balance")
"""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlsplit

import aiohttp
from pydantic import SecretStr
from yarl import URL

from notifyd.config.paths import is_loopback
from notifyd.http.outgoing import OutgoingPool, ProxyError, read_bounded
from notifyd.model.errors import ConfigError
from notifyd.platform.answers import Answer, read_answer
from notifyd.platform.endpoints import BY_KEY
from notifyd.platform.errors import (
    AuthenticationError,
    PlatformError,
    PlatformUnreachableError,
    RateLimitedError,
    ServerError,
)
from notifyd.platform.groups import Groups

BASE_URL = "https://api.oblien.com"
TIMEOUT = 30.0
"""Seconds for one request, reading included."""
LONGEST_WAIT = 60.0
"""Seconds that a call waits at most, in total, for a Retry-After or a backoff."""
ATTEMPTS = 4
"""How often a call is tried at most, the first time included."""

_LARGEST_ANSWER = 64 << 20
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods that may be repeated after a request that perhaps arrived (RFC 9110, 9.2.2)."""
_REFRESH = "/ai/session/token/refresh"

Sleep = Callable[[float], Awaitable[None]]


class Client(Groups):
    """Calls the platform with client credentials or with a bearer token.

    client_id, client_secret: the server-side credentials. token: a session token or send token; it
    is used where both are given. base_url: plain http is accepted only to this machine. timeout:
    seconds for one request. max_wait: seconds that a call may spend waiting for a rate limit or a
    failing server before it raises.

    Calls raise a PlatformError. A request is repeated only where that is safe: after 429, whatever
    the method, and after a fault or 5xx for methods that are idempotent. A session token that the
    platform refuses is exchanged once, and the call made again.
    """

    def __init__(
        self,
        client_id: str = "",
        client_secret: str | SecretStr = "",
        *,
        token: str | SecretStr = "",
        base_url: str = BASE_URL,
        timeout: float = TIMEOUT,
        max_wait: float = LONGEST_WAIT,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme != "https" and not (
            parts.scheme == "http" and is_loopback(parts.hostname or "")
        ):
            raise ConfigError(
                [f"invalid base URL {base_url!r}: use https (http only to this machine)"]
            )
        super().__init__(self)
        self._client_id = client_id
        self._client_secret = _secret(client_secret)
        self._token = _secret(token)
        self._base = base_url.rstrip("/")
        self._timeout = timeout
        self._max_wait = max_wait
        self._sleep = sleep
        self._pool = OutgoingPool(self._base)
        self._refreshing = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._pool.__aexit__(*exception)

    async def call(
        self, key: str, path: Mapping[str, str | int], fields: Mapping[str, Any]
    ) -> Answer:
        """Call an endpoint of the table by its key, such as "sandbox.metrics".

        path: the path's parameters. fields: the query of a GET, the JSON body of anything else;
        those that are None are left out.
        """
        endpoint = BY_KEY[key]
        target = endpoint.path
        for name in endpoint.path_parameters:
            target = target.replace(f":{name}", quote(str(path[name]), safe=""))
        given = {name: value for name, value in fields.items() if value is not None}
        if endpoint.method in ("GET", "DELETE"):
            return await self.request(endpoint.method, target, query=given)
        return await self.request(endpoint.method, target, body=given)

    async def upload(
        self, path: str, files: Sequence[str | Path], fields: Mapping[str, str]
    ) -> Answer:
        """POST files as multipart/form-data, read in pieces while they are sent."""
        named = [("file", Path(file)) for file in files]
        return await self.request("POST", path, form=fields, files=named)

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        form: Mapping[str, str] | None = None,
        files: Sequence[tuple[str, Path]] = (),
    ) -> Answer:
        """Call any method and path, listed or not, and return what the answer carries.

        body: sent as JSON. form, files: sent as multipart/form-data instead.
        """
        method = method.upper()
        url = self._url(path, query or {})
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        waited, refreshed = 0.0, False
        for attempt in range(1, ATTEMPTS + 1):
            token = self._token.get_secret_value()
            try:
                return await self._once(method, url, content, form, files)
            except AuthenticationError:
                if refreshed or not token or path == _REFRESH:
                    raise
                refreshed = True
                await self._refresh(token)
            except PlatformError as error:
                pause = _pause(error, method, attempt)
                if pause is None or attempt == ATTEMPTS or waited + pause > self._max_wait:
                    raise
                waited += pause
                await self._sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _url(self, path: str, query: Mapping[str, Any]) -> URL:
        # Already quoted parts stay as they are; spaces and line ends never reach the wire.
        quoted = quote(path.lstrip("/"), safe="/?:@!$&'()*+,;=%~")
        given = URL(f"{self._base}/{quoted}", encoded=True)
        pairs = [(name, item) for name, value in query.items() for item in _query_values(value)]
        return given.extend_query(pairs) if pairs else given

    async def _once(
        self,
        method: str,
        url: URL,
        content: bytes | None,
        form: Mapping[str, str] | None,
        files: Sequence[tuple[str, Path]],
    ) -> Answer:
        headers = self._credentials()
        if content is not None:
            headers["Content-Type"] = "application/json"
        with _Multipart(form, files) as multipart:
            data = multipart.data if form is not None or files else content
            try:
                async with (
                    asyncio.timeout(self._timeout),
                    self._pool.request(method, url, headers=headers, data=data) as response,
                ):
                    received = await read_bounded(response, _LARGEST_ANSWER)
            except (aiohttp.ClientError, TimeoutError, OSError, ProxyError) as error:
                _, sentence = self._pool.fault(error, self._timeout)
                raise PlatformUnreachableError(sentence) from None
        if received is None:
            raise PlatformError(
                f"the answer is longer than {_LARGEST_ANSWER >> 20} MiB", status=response.status
            )
        secret = self._token.get_secret_value() or self._client_secret.get_secret_value()
        return read_answer(
            response.status, response.headers, received, wall=time.time(), secret=secret
        )

    def _credentials(self) -> dict[str, str]:
        if token := self._token.get_secret_value():
            return {"Authorization": f"Bearer {token}"}
        return {
            "X-Client-ID": self._client_id,
            "X-Client-Secret": self._client_secret.get_secret_value(),
        }

    async def _refresh(self, refused: str) -> None:
        """Exchange the refused session token; calls at the same time share one exchange."""
        async with self._refreshing:
            if self._token.get_secret_value() != refused:
                return
            url = self._url(_REFRESH, {})
            answer = await self._once("POST", url, b"{}", None, ())
            fresh = answer.get("token") if isinstance(answer, dict) else None
            if isinstance(fresh, dict):
                fresh = fresh.get("token")
            if not isinstance(fresh, str) or not fresh:
                raise AuthenticationError(
                    "the session token was refused, and its exchange gave no new one", status=401
                )
            self._token = SecretStr(fresh)


class _Multipart:
    """A form with open files, closed on leaving."""

    def __init__(self, form: Mapping[str, str] | None, files: Sequence[tuple[str, Path]]) -> None:
        self.data = aiohttp.FormData(default_to_multipart=True)
        self._opened: list[Any] = []
        for name, value in (form or {}).items():
            self.data.add_field(name, value)
        for name, path in files:
            opened = path.open("rb")
            self._opened.append(opened)
            self.data.add_field(name, opened, filename=path.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for opened in self._opened:
            opened.close()


def _pause(error: PlatformError, method: str, attempt: int) -> float | None:
    """Seconds before the next attempt; None where a repeat would not be safe or not help."""
    backoff: float = random.uniform(0.5, 1.0) * 2 ** (attempt - 1)  # noqa: S311 - spreads load
    if isinstance(error, RateLimitedError):
        return max(error.retry_after, backoff)
    if method not in _SAFE:
        return None
    if isinstance(error, ServerError):
        return max(error.retry_after, backoff)
    return backoff if isinstance(error, PlatformUnreachableError) else None


def _query_values(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, (list, tuple)):
        return [item for each in value for item in _query_values(each)]
    return [str(value)]


def _secret(value: str | SecretStr) -> SecretStr:
    return value if isinstance(value, SecretStr) else SecretStr(value)
