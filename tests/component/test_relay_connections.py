"""The relay under connections that send nothing or read nothing."""

import asyncio
import socket
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from notifyd.http.rate_limit import Rate
from notifyd.relay.server import LIMITS
from support.visitor import Visitor, visiting


@asynccontextmanager
async def silent(visitor: Visitor, number: int, said: bytes = b""):
    """Hold many connections open that never finish a request."""
    where = urlsplit(visitor.relay.url)
    streams = [await asyncio.open_connection(where.hostname, where.port) for _ in range(number)]
    try:
        for _, writer in streams:
            writer.write(said)
        yield [reader for reader, _ in streams]
    finally:
        for _, writer in streams:
            writer.close()


@pytest.mark.parametrize("said", [b"", b"POST /notifications/send HTTP/1.1\r\nHost: "])
async def test_300_silent_connections_do_not_keep_a_send_and_the_page_waiting(said):
    async with visiting(limits=replace(LIMITS, head=600.0)) as visitor:
        token = await visitor.relay.mint_token("w", "n")
        async with silent(visitor, 300, said), asyncio.timeout(45):
            assert (await visitor.send(token)).status == 200
            async with visitor.session.get(visitor.relay.inbox_url) as page:
                assert "<title>Inbox</title>" in await page.text()
            async with visitor.page() as stream:
                assert [event.data["title"] for event in await stream.until_live()] == ["Hi"]


async def test_silent_connections_are_closed_and_an_open_page_is_kept():
    async with visiting(limits=replace(LIMITS, head=0.5)) as visitor, visitor.page() as page:
        await page.until_live()
        async with silent(visitor, 50) as readers, asyncio.timeout(45):
            answers = [await reader.read() for reader in readers]
        assert {answer.partition(b"\r\n")[0] for answer in answers} == {
            b"HTTP/1.1 408 Request Timeout"
        }
        await visitor.send(await visitor.relay.mint_token("w", "n"))
        assert (await page.event()).data["title"] == "Hi"


async def test_open_pages_are_never_evicted():
    async with AsyncExitStack() as stack:
        visitor = await stack.enter_async_context(visiting(limits=replace(LIMITS, per_client=3)))
        pages = [await stack.enter_async_context(visitor.page()) for _ in range(3)]
        async with silent(visitor, 1) as readers, asyncio.timeout(45):
            assert (await readers[0].read()).startswith(b"HTTP/1.1 503 ")
        for page in pages:
            assert await page.until_live() == []


async def test_a_page_that_does_not_read_is_disconnected():
    limits = replace(LIMITS, write=0.2)
    async with visiting(limits=limits, rate=Rate(10_000, 60.0)) as visitor:
        token = await visitor.relay.mint_token("w", "n")
        where = urlsplit(visitor.relay.inbox_url)
        target = f"{where.path}/events?{where.query}"
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect((where.hostname, where.port))
            sock.sendall(f"GET {target} HTTP/1.1\r\nHost: {where.netloc}\r\n\r\n".encode())
            async with asyncio.timeout(45):
                while (await visitor.send(token)).json["devices"] != 1:
                    pass  # until the page is counted
                note = {"title": "t", "body": "b" * 60_000}
                while (await visitor.send(token, note)).json["devices"]:
                    pass  # until every buffer is full and the time to read is over
