"""The local API and the relay behind one interface, for clients that write bytes."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from notifyd.http.open_connections import ConnectionLimits
from notifyd.http.rate_limit import Rate
from notifyd.relay import notifications
from notifyd.relay.server import LIMITS
from support.socket_api import (
    JSON,
    PATIENCE,
    TCP_TOKEN,
    Reply,
    daemon,
    exchange_on,
    reply,
    tcp_daemon,
)
from support.visitor import CLIENT, visiting

BRISK = {"head": 0.2, "body": 0.2, "linger": 0.2, "write": 0.2, "idle": 0.2}


@dataclass(frozen=True)
class AnyListener:
    """get: a request without its last line, answered with 200 and a short JSON body.

    post: a request that sends a notification, up to its Content-Length. invalid_json: the error
    code for invalid JSON. stored: counts the notifications that were accepted.
    """

    address: Path | tuple[str, int]
    get: bytes
    post: bytes
    invalid_json: str
    stored: Callable[[], Awaitable[int]]

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.address, Path):
            return await asyncio.open_unix_connection(self.address)
        return await asyncio.open_connection(*self.address)

    def connect_blocking(self) -> socket.socket:
        if isinstance(self.address, Path):
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(PATIENCE)
            sock.connect(os.fspath(self.address))
            return sock
        return socket.create_connection(self.address, PATIENCE)

    async def exchange(self, data: bytes) -> bytes:
        """Write bytes, then read until the server closes."""
        reader, writer = await self.connect()
        try:
            async with asyncio.timeout(PATIENCE):
                writer.write(data)
                return await reader.read()
        finally:
            writer.close()

    async def exchange_all(self, data: bytes) -> bytes:
        """Write bytes and an EOF from a thread, then read until the server closes."""
        return await asyncio.to_thread(self.exchange_blocking, data)

    def exchange_blocking(self, data: bytes) -> bytes:
        with self.connect_blocking() as sock:
            return exchange_on(sock, data)

    async def probe(self) -> Reply:
        return reply(await self.exchange(self.get + b"Connection: close\r\n\r\n"))

    async def send(self, body: object) -> Reply:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = self.post + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(raw)
        return reply(await self.exchange(head + raw))


@asynccontextmanager
async def unix_listener(folder: Path, **limits: float) -> AsyncIterator[AnyListener]:
    async with daemon(folder / "s", limits=replace(ConnectionLimits(), **limits)) as running:

        async def stored() -> int:
            return len(running.control.rows)

        yield AnyListener(
            running.path,
            b"GET /healthz HTTP/1.1\r\nHost: x\r\n",
            b"POST /notifications/send HTTP/1.1\r\nHost: x\r\n" + JSON.encode(),
            "bad_request",
            stored,
        )


@asynccontextmanager
async def relay_listener(_folder: Path, **limits: float) -> AsyncIterator[AnyListener]:
    async with visiting(limits=replace(LIMITS, **limits), rate=Rate(10_000, 60.0)) as visitor:
        where = urlsplit(visitor.relay.url)
        host = f"Host: {where.netloc}\r\n"
        token = await visitor.relay.mint_token("w", "hostile")

        async def stored() -> int:
            return await visitor.relay.store.run(notifications.newest_seq)

        credentials = f"X-Client-ID: {CLIENT.id}\r\nX-Client-Secret: {CLIENT.secret}\r\n"
        bearer = f"Authorization: Bearer {token}\r\n{JSON}"
        yield AnyListener(
            (str(where.hostname), int(where.port or 0)),
            f"GET /notifications/devices HTTP/1.1\r\n{host}{credentials}".encode(),
            f"POST /notifications/send HTTP/1.1\r\n{host}{bearer}".encode(),
            "invalid_json",
            stored,
        )


@asynccontextmanager
async def tcp_listener(_folder: Path, **limits: float) -> AsyncIterator[AnyListener]:
    async with tcp_daemon(limits=replace(ConnectionLimits(), **limits)) as running:

        async def stored() -> int:
            return len(running.control.rows)

        head = f"Host: {running.host}\r\nAuthorization: Bearer {TCP_TOKEN}\r\n"
        yield AnyListener(
            running.address,
            f"GET /healthz HTTP/1.1\r\n{head}".encode(),
            f"POST /notifications/send HTTP/1.1\r\n{head}{JSON}".encode(),
            "bad_request",
            stored,
        )


LISTENERS = {"unix": unix_listener, "tcp": tcp_listener, "relay": relay_listener}
