"""A scripted stand-in for the platform's API, on loopback, with real sockets and real TLS.

In an async test (daemons in subprocesses reach it too, as long as the test awaits):

    async with Platform() as platform:
        platform.plan(status(503), hang(), ok())     # the next requests; `support.replies`
        ... run something against platform.url with platform.token ...
        received = await platform.wait(3)

In a plain test: `with in_thread(Platform()) as platform`, then `platform.waited(3)`.
"""

import asyncio
import json
import shutil
import socket
import struct
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Self

from support import certificates
from support.replies import Reply, ok, status

PATH = "/notifications/send"


@dataclass(frozen=True)
class Received:
    """One received request. time: as time.monotonic(); wall: as time.time().

    json: {} if the body is no JSON object. token: the Bearer token. id: the Idempotency-Key.
    status: of the answer, 0 for a fault. reply: the scripted one. headers: names in lower case.
    """

    time: float
    wall: float
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    json: dict
    status: int
    reply: Reply

    @property
    def succeeded(self) -> bool:
        return self.status == HTTPStatus.OK and b'"success": true' in self.reply.body

    @property
    def token(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")

    @property
    def id(self) -> str:
        return self.headers.get("idempotency-key", "")


class Platform:
    """The API. tokens: accepted ones; others get a 401, which does not use up the plan.

    received: every request in order. delivered: the first accepted request of each id, which a
    phone would show. busiest: the most requests at one time. sockets: connections so far.
    tls: "good" | "expired" | "wrong_host" | "self_signed" | "unknown_ca"; with `ca_file` for
    SSL_CERT_FILE, which knows the first three.
    """

    token = "onp_scripted-platform-token"

    def __init__(self, tls: str = "", port: int = 0) -> None:
        self.tls, self.port = tls, port
        self.tokens = {self.token}
        self.default = ok()
        self.received: list[Received] = []
        self.delivered: dict[str, Received] = {}
        self.sockets = self.busiest = self._busy = 0
        self.loop: asyncio.AbstractEventLoop | None = None
        self.ca_file = ""
        self._plan: deque[Reply] = deque()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Condition()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables for a daemon that is to use this platform."""
        named = {"NOTIFYD_API__URL": self.url, "NOTIFYD_SEND_TOKEN": self.token}
        return named | ({"SSL_CERT_FILE": self.ca_file} if self.tls else {})

    def plan(self, *replies: Reply) -> None:
        """Append the answers to the next requests, in this order."""
        self._plan.extend(replies)

    async def wait(self, count: int, within: float = 45) -> list[Received]:
        """Return `received` once it holds `count` requests; else AssertionError."""
        return await self._wait(lambda: len(self.received) >= count, count, within)

    async def wait_delivered(self, count: int, within: float = 45) -> list[Received]:
        """Return `delivered` once it holds `count` notifications."""
        await self._wait(lambda: len(self.delivered) >= count, count, within)
        return list(self.delivered.values())

    def waited(self, count: int, within: float = 45) -> list[Received]:
        """Call `wait` from a test in another thread."""
        return asyncio.run_coroutine_threadsafe(self.wait(count, within), self.loop).result()

    async def down(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def up(self) -> None:
        """Listen on the same port as before."""
        context = certificates.context(self.tls, self.ca_file) if self.tls else None
        listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
        self.port = listener.getsockname()[1]
        self._server = await asyncio.start_server(self._connected, sock=listener, ssl=context)

    async def __aenter__(self) -> Self:
        self.loop = asyncio.get_running_loop()
        if self.tls:
            self.ca_file = str(Path(tempfile.mkdtemp(prefix="platform-")) / "ca.pem")
        await self.up()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.down()
        if self.ca_file:
            shutil.rmtree(Path(self.ca_file).parent)

    async def _wait(self, condition, count: int, within: float) -> list[Received]:
        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait_for(condition), within)
            except TimeoutError:
                seen = [(item.path, item.status, item.json) for item in self.received[-20:]]
                message = f"not {count} in {within} s: {len(self.received)} came, the last: {seen}"
                raise AssertionError(message) from None
        return list(self.received)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sockets += 1
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        pairs = (line.partition(":") for line in head[1:] if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        reply = self._choose(method, path, headers)
        status = 0 if reply.fault in ("hang", "reset_before", "reset_during") else reply.status
        item = Received(
            time.monotonic(),
            time.time(),
            method,
            path,
            headers,
            body,
            _parsed(body),
            status,
            reply,
        )
        self._busy += 1
        self.busiest = max(self.busiest, self._busy)
        try:
            await self._note(item)
            return await self._answer(reply, reader, writer)
        finally:
            self._busy -= 1

    def _choose(self, method: str, path: str, headers: dict[str, str]) -> Reply:
        if (method, path) != ("POST", PATH):
            return status(404, "no such endpoint")
        if headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return status(401, "this send token is not valid")
        return self._plan.popleft() if self._plan else self.default

    async def _note(self, item: Received) -> None:
        async with self._changed:
            self.received.append(item)
            if item.succeeded:
                self.delivered.setdefault(item.id, item)
            self._changed.notify_all()

    async def _answer(
        self, reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        if reply.fault == "hang":
            await reader.read()
            return False
        if reply.fault == "reset_before":
            return _reset(writer)
        if reply.delay and not reply.fault:
            with suppress(TimeoutError):
                await asyncio.wait_for(reader.read(1), reply.delay)
        size = len(reply.body) if reply.fault not in ("drip", "huge") else 1 << 30
        headers = {"Content-Type": "application/json", "Content-Length": str(size)} | reply.headers
        lines = [f"HTTP/1.1 {reply.status} Scripted", *(f"{k}: {v}" for k, v in headers.items())]
        top = "\r\n".join([*lines, "", ""]).encode("latin-1")
        if reply.fault == "reset_during":
            writer.write(top + reply.body[: size // 2])
            await writer.drain()
            return _reset(writer)
        if reply.fault in ("drip", "huge"):
            writer.write(top)
            chunk = b" " * (1 if reply.fault == "drip" else 1 << 16)
            while not reader.at_eof():
                writer.write(chunk)
                await writer.drain()
                await asyncio.sleep(reply.delay)
            return False
        writer.write(top + reply.body)
        await writer.drain()
        return not reader.at_eof()


@contextmanager
def in_thread(platform: Platform) -> Iterator[Platform]:
    """Run the platform in a thread and loop of its own, for tests that are not async."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="platform")
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(platform.__aenter__(), loop).result()
        try:
            yield platform
        finally:
            asyncio.run_coroutine_threadsafe(platform.__aexit__(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _parsed(body: bytes) -> dict:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _reset(writer: asyncio.StreamWriter) -> bool:
    linger = struct.pack("ii", 1, 0)  # closing then sends RST in place of FIN
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    return False
