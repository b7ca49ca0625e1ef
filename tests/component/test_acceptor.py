"""The acceptor of a listening socket at its end."""

import asyncio
import socket

import pytest

from notifyd.http.acceptor import Acceptor


class Connection(asyncio.Protocol):
    def __init__(self, made):
        self.made = made

    def connection_made(self, transport):
        self.made.append(transport)


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


async def test_what_was_accepted_is_connected_before_the_end(listening):
    made = []
    with socket.create_connection(listening.getsockname()):
        async with asyncio.timeout(45), Acceptor(listening, lambda: Connection(made)) as acceptor:
            while not acceptor._connecting:  # noqa: ASYNC110 - accepting gives no event
                await asyncio.sleep(0)
        (transport,) = made
        transport.close()
        await asyncio.sleep(0)


async def test_nothing_is_accepted_after_the_end(listening):
    made = []
    async with Acceptor(listening, lambda: Connection(made)):
        pass
    with socket.create_connection(listening.getsockname()):
        for _ in range(10):
            await asyncio.sleep(0)
    assert not made
