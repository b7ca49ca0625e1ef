"""`notifyd relay device`, and Apprise addresses as devices of a relay that is killed."""

import asyncio
import json
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from notifyd.relay import apprise_sender
from notifyd.relay.delivery_worker import backoff
from support import forked

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
CLIENT = {"OBLIEN_CLIENT_ID": "mine", "OBLIEN_CLIENT_SECRET": "a-secret"}


class Receiver:
    """A server that takes Apprise's json://. answers: it does so once this is set."""

    def __init__(self) -> None:
        self.port, self.answers = 0, asyncio.Event()
        self.answers.set()
        self.bodies: asyncio.Queue[dict] = asyncio.Queue()

    async def respond(self, request: web.Request) -> web.Response:
        await self.bodies.put(await request.json())
        await self.answers.wait()
        return web.Response()

    async def next(self) -> dict:
        async with asyncio.timeout(45):
            return await self.bodies.get()


@pytest.fixture
async def receiver():
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/{path}", receiver.respond)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.port = runner.addresses[0][1]
    yield receiver
    receiver.answers.set()
    await runner.cleanup()


@asynccontextmanager
async def relay(home):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "notifyd", "relay", "--listen", "127.0.0.1:0"),
        env=ENVIRONMENT | CLIENT | {"HOME": str(home)},
        stdout=PIPE,
        stderr=DEVNULL,
    )
    try:
        async with asyncio.timeout(45):
            line = (await process.stdout.readline()).decode()
        yield process, re.search(r"http://\S+", line)[0]
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def device(home, *words, address: str = "") -> forked.Ended:
    environ = ENVIRONMENT | {"HOME": str(home)}
    return await asyncio.to_thread(
        forked.run,
        ["relay", "device", *words],
        environ=environ,
        stdin=address.encode(),
        text=True,
    )


async def send(url: str, body: dict) -> dict:
    client = {"X-Client-ID": "mine", "X-Client-Secret": "a-secret"}
    async with aiohttp.ClientSession() as session:
        wanted = {"workspace_id": "home", "metadata": {"channel": "ci"}}
        minting = session.post(f"{url}/notifications/tokens", json=wanted, headers=client)
        async with minting as minted:
            token = (await minted.json())["token"]["token"]
        headers = {"Authorization": f"Bearer {token}"}
        async with session.post(
            f"{url}/notifications/send", json=body, headers=headers
        ) as response:
            return await response.json()


async def test_what_was_accepted_is_handed_over_after_a_kill(tmp_path, receiver) -> None:
    address = f"json://127.0.0.1:{receiver.port}/chat-secret"
    async with relay(tmp_path) as (process, url):
        added = await device(
            tmp_path, "add", "--name", "chat", "--channel", "ci", address=f"{address}\n"
        )
        assert (added.returncode, added.stderr) == (0, "")
        assert added.stdout == "added device 1 (json://127.0.0.1): channel ci\n"
        receiver.answers.clear()
        answer = await send(url, {"title": "kept", "data": {"outcome": "failure"}})
        assert (answer["delivered"], answer["devices"]) == (1, 1)
        await receiver.next()
        process.send_signal(signal.SIGKILL)
        await process.wait()
    receiver.answers.set()
    async with relay(tmp_path):
        body = await receiver.next()
        assert (body["title"], body["message"], body["type"]) == ("", "kept", "failure")
        listed = await device(tmp_path, "list")
        assert re.search(
            r"^1 +chat +json://127\.0\.0\.1 +channel ci +ok$", listed.stdout, re.MULTILINE
        )
        shown = await device(tmp_path, "list", "--json")
        (entry,) = json.loads(shown.stdout)
        assert (entry["name"], entry["channels"]) == ("chat", ["ci"])
        assert "secret" not in added.stdout + listed.stdout + shown.stdout
    assert (await device(tmp_path, "remove", "1")).returncode == 0
    gone = await device(tmp_path, "remove", "1")
    assert (gone.returncode, gone.stderr.partition(";")[0]) == (1, "no device 1")
    assert "no devices" in (await device(tmp_path, "list")).stdout
    for wrong, words in (("", "no Apprise address"), ("nonsense://x", "does not know")):
        refused = await device(tmp_path, "add", address=wrong)
        assert refused.returncode != 0
        assert words in refused.stderr


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("tgram://123456789:abcdefg_hijklmnop/12315544/", "tgram://…"),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/", "slack://…"),
        ("mailto://user:password@gmail.com", "mailto://gmail.com"),
        ("gotify://push.example.org/token", "gotify://push.example.org"),
        ("json://localhost:8080/x", "json://localhost"),
        ("ntfy://a-secret-topic", "ntfy://…"),
        ("odd://[", "odd://…"),
    ],
)
def test_an_address_is_shown_without_what_may_be_a_secret(address, shown) -> None:
    assert apprise_sender.mask(address) == shown


def test_pauses_grow_to_an_hour_and_are_never_the_same() -> None:
    assert 2.5 <= backoff(0) <= 5
    assert 20 <= backoff(3) <= 40
    assert 1800 <= backoff(500) <= 3600
    assert len({backoff(5) for _ in range(10)}) == 10
