"""A push service on this machine, and a browser's subscription to it with keys of the test."""

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

import http_ece
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02

from support.certificates import context


def allow_loopback(address) -> bool:
    return address == ip_address("127.0.0.1")


class Message(NamedTuple):
    """A message as it arrived, and what it says once it is decrypted."""

    path: str
    headers: dict
    size: int
    content: dict


class Subscription:
    """The keys of one browser. body: what its page sends to the relay."""

    def __init__(self, url: str, name: str) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.auth = os.urandom(16)
        public = self.private.public_key()
        point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.path = f"/{name}"
        self.body = {
            "endpoint": f"{url}/{name}",
            "p256dh": _base64(point),
            "auth": _base64(self.auth),
            "name": name,
        }

    def decrypt(self, body: bytes) -> dict:
        return json.loads(http_ece.decrypt(body, private_key=self.private, auth_secret=self.auth))


class PushService:
    """answers: for each path, the statuses of its next requests; then 201. None: never answers."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: dict[str, list[tuple[int, dict] | None]] = {}
        self.messages: list[Message] = []
        self.requests: list[str] = []
        self._subscriptions: dict[str, Subscription] = {}
        self._arrived = asyncio.Condition()
        self._ended = asyncio.Event()

    def subscription(self, name: str) -> Subscription:
        made = self._subscriptions[f"/{name}"] = Subscription(self.url, name)
        return made

    async def until(self, count: int) -> list[Message]:
        """Wait for so many accepted messages."""
        async with asyncio.timeout(45), self._arrived:
            await self._arrived.wait_for(lambda: len(self.messages) >= count)
        return self.messages

    async def until_asked(self, count: int) -> None:
        async with asyncio.timeout(45), self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests) >= count)

    def end(self) -> None:
        """Answer what was never to be answered."""
        self._ended.set()

    async def respond(self, request: web.Request) -> web.Response:
        body = await request.read()
        assert Vapid02.verify(request.headers["Authorization"])
        answers = self.answers.get(request.path, [])
        answer = answers.pop(0) if answers else (201, {})
        if answer is not None and answer[0] == 201:
            content = self._subscriptions[request.path].decrypt(body)
            message = Message(request.path, dict(request.headers), len(body), content)
            self.messages.append(message)
        async with self._arrived:
            self.requests.append(request.path)
            self._arrived.notify_all()
        if answer is None:
            await self._ended.wait()
            return web.Response(status=503)
        return web.Response(status=answer[0], headers=answer[1])


@asynccontextmanager
async def push_service(folder: Path, monkeypatch) -> AsyncIterator[PushService]:
    """Run the service; clients of this process trust its certificate."""
    authority = str(folder / "ca.pem")
    tls = context("good", authority)
    monkeypatch.setenv("SSL_CERT_FILE", authority)
    service = PushService()
    app = web.Application()
    app.router.add_post("/{name}", service.respond)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        service.url = f"https://localhost:{runner.addresses[0][1]}"
        yield service
    finally:
        service.end()
        await runner.cleanup()


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
