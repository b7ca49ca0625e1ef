"""The local API on real sockets with a MemoryControl, and clients that write bytes."""

import asyncio
import json
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from notifyd.api.server import serve, serve_tcp
from notifyd.api.tcp import TcpListener
from notifyd.api.unix import UnixListener
from notifyd.config.sections import SocketConfig, SocketRateConfig
from notifyd.config.token import ListenSecrets
from notifyd.http.open_connections import ConnectionLimits
from notifyd.http.tcp import listen_tcp
from support.control import MemoryControl

PATIENCE = 45.0
TCP_TOKEN = "token-of-the-tcp-clients"
GENEROUS = SocketRateConfig(max=100_000, per="1s")
JSON = "Content-Type: application/json\r\n"


@dataclass(frozen=True)
class Daemon:
    path: Path
    control: MemoryControl


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: dict

    @property
    def refusal(self) -> tuple[int, str]:
        """The status and code of an error response, whose form is checked."""
        assert self.body["success"] is False
        assert self.body["error"]
        assert not self.body["error"].endswith(".")
        return self.status, self.body["code"]


@asynccontextmanager
async def daemon(
    path: Path, settings: SocketConfig | None = None, limits: ConnectionLimits | None = None
) -> AsyncIterator[Daemon]:
    settings = settings or SocketConfig(rate=GENEROUS)
    control = MemoryControl()
    with UnixListener.open(path, settings, {}) as listener:
        async with serve(control, settings, listener, limits=limits):
            yield Daemon(path, control)


@dataclass
class TcpDaemon:
    """secrets: those in force, which a test may replace."""

    address: tuple[str, int]
    control: MemoryControl
    secrets: ListenSecrets

    @property
    def host(self) -> str:
        return "{}:{}".format(*self.address)

    async def exchange(self, data: bytes) -> bytes:
        """Write bytes, then read until the server closes."""
        reader, writer = await asyncio.open_connection(*self.address)
        try:
            async with asyncio.timeout(PATIENCE):
                writer.write(data)
                return await reader.read()
        finally:
            writer.close()

    async def ask(self, method: str, target: str, body: object = None, headers: str = "") -> Reply:
        """Send a request with these headers alone; no token unless they carry it."""
        raw = request(method, target, body, headers + JSON)
        head, _, rest = raw.partition(b"\r\n\r\n")
        if body is None:
            head += b"\r\n" + headers.encode().rstrip()
        return reply(await self.exchange(head.rstrip() + b"\r\n\r\n" + rest))


@asynccontextmanager
async def tcp_daemon(
    settings: SocketConfig | None = None,
    limits: ConnectionLimits | None = None,
    host: str = "127.0.0.1",
) -> AsyncIterator[TcpDaemon]:
    control = MemoryControl()
    with listen_tcp("127.0.0.1", 0, "[listen] tcp") as sock:
        running = TcpDaemon(sock.getsockname(), control, ListenSecrets(SecretStr(TCP_TOKEN)))
        listener = TcpListener(sock, host, lambda: running.secrets)
        settings = settings or SocketConfig(rate=GENEROUS)
        async with serve_tcp(control, settings, listener, limits=limits):
            yield running


def request(method: str, target: str, body: object = None, headers: str = JSON) -> bytes:
    """Build a request that closes its connection; a body of bytes is sent unchanged."""
    head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    if body is None:
        return f"{head}\r\n".encode()
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return f"{head}{headers}Content-Length: {len(payload)}\r\n\r\n".encode() + payload


async def ask(
    path: Path, method: str, target: str, body: object = None, headers: str = JSON
) -> Reply:
    return reply(await exchange(path, request(method, target, body, headers)))


async def send(path: Path, body: object) -> Reply:
    return await ask(path, "POST", "/notifications/send", body)


async def exchange(path: Path, data: bytes) -> bytes:
    """Write bytes, then read until the server closes."""
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        async with asyncio.timeout(PATIENCE):
            writer.write(data)
            return await reader.read()
    finally:
        writer.close()


def exchange_on(sock: socket.socket, data: bytes) -> bytes:
    """Write bytes and an EOF as far as the server takes them, then read until it closes."""
    answer = b""
    try:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    try:
        while chunk := sock.recv(1 << 16):
            answer += chunk
    except ConnectionResetError:
        pass
    return answer


def reply(raw: bytes) -> Reply:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert headers["Content-Type"] in ("application/json", "application/json; charset=utf-8")
    assert int(headers["Content-Length"]) == len(body)
    return Reply(int(first.split(" ")[1]), headers, json.loads(body))


@contextmanager
def open_directory() -> Iterator[Path]:
    """Create a directory that other users may enter, unlike pytest's."""
    with tempfile.TemporaryDirectory(prefix="nd-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


@contextmanager
def identity(uid: int, gid: int, groups: tuple[int, ...] = ()) -> Iterator[None]:
    """Act as another user: the kernel reports these ids for a connection that is made inside."""
    before = os.getgroups()
    os.setgroups(groups)
    os.setegid(gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)


def connect_as(who: tuple[int, int, tuple[int, ...]], path: Path) -> socket.socket:
    """Connect as another uid, gid and supplementary groups; needs root."""
    sock = socket.socket(socket.AF_UNIX)
    with identity(*who):
        sock.connect(os.fspath(path))
    return sock


async def ask_as(
    who: tuple[int, int, tuple[int, ...]], path: Path, method: str, target: str, body: object = None
) -> Reply:
    """Send a request as another user, as `connect_as` does."""
    sock = connect_as(who, path)
    reader, writer = await asyncio.open_unix_connection(sock=sock)
    async with asyncio.timeout(PATIENCE):
        writer.write(request(method, target, body))
        raw = await reader.read()
    writer.close()
    return reply(raw)
