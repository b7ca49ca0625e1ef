"""Hostile and faulty clients: limited in time and number, answered in JSON, harmless to others."""

import asyncio
import json
import os
import select
import socket
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifyd.http.open_connections import ConnectionLimits
from support.examples import examples
from support.listeners import BRISK, LISTENERS, AnyListener
from support.socket_api import PATIENCE, Daemon, ask, daemon, exchange, exchange_on, reply, request

# --- time


@pytest.mark.parametrize("said", [b"", b"GE", b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: "])
async def test_incomplete_headers_are_answered_with_408(brisk: AnyListener, said):
    answer = reply(await brisk.exchange(said))
    assert answer.refusal == (408, "too_slow")


async def test_trickling_headers_do_not_extend_the_deadline(brisk: AnyListener):
    def trickle() -> bytes:
        with brisk.connect_blocking() as sock:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nA: ")
            while not select.select([sock], [], [], 0.02)[0]:
                with suppress(OSError):  # it may just have been closed
                    sock.sendall(b"x")
            return sock.recv(1 << 16)

    assert reply(await asyncio.to_thread(trickle)).refusal == (408, "too_slow")


async def test_an_incomplete_body_is_answered_with_408(brisk: AnyListener):
    answer = reply(await brisk.exchange(brisk.post + b'Content-Length: 50\r\n\r\n{"title":'))
    assert answer.refusal == (408, "too_slow")
    assert not await brisk.stored()


@pytest.mark.parametrize("kind", LISTENERS)
async def test_an_idle_connection_is_closed_without_an_error(tmp_path, kind):
    async with LISTENERS[kind](tmp_path, head=1.0, idle=0.2) as listener:
        assert reply(await listener.exchange(listener.get + b"\r\n")).status == 200


@pytest.mark.parametrize("kind", LISTENERS)
async def test_incomplete_headers_of_a_second_request_are_answered_with_408(tmp_path, kind):
    async with LISTENERS[kind](tmp_path, head=0.5, idle=0.5) as listener:
        raw = await listener.exchange(listener.get + b"\r\nGET")
    first, _, second = raw.partition(b"}")
    assert first.startswith(b"HTTP/1.1 200")
    assert second == b"" or reply(second).refusal == (408, "too_slow")


async def test_a_slow_handler_is_not_a_slow_client(tmp_path):
    limits = ConnectionLimits(**dict.fromkeys(BRISK, 0.5))
    async with daemon(tmp_path / "s", limits=limits) as running:
        answer = await ask(running.path, "POST", "/notifications/send?wait=700ms", {"title": "t"})
    assert answer.status == 202


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("more", [20_000, 8 << 20])
async def test_a_client_that_does_not_read_its_response_is_disconnected(tmp_path, keep, more):
    writer, reader = socket.socketpair(socket.AF_UNIX)
    with writer, reader:
        writer.settimeout(0)
        kernel = writer.send(bytes(8 << 20))  # what the kernel takes without a reader
    limits = ConnectionLimits(head=1.0, idle=1.0, write=0.2)
    async with daemon(tmp_path / "s", limits=limits) as running:
        running.control.state = {"much": "x" * (kernel + more)}
        asked = request("GET", "/v1/status")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(os.fspath(running.path))
            sock.sendall(asked.replace(b"Connection: close\r\n", b"") if keep else asked)
            hung_up = select.poll()
            hung_up.register(sock, select.POLLHUP)
            assert await asyncio.to_thread(hung_up.poll, PATIENCE * 1000)
        assert (await ask(running.path, "GET", "/healthz")).status == 200


async def test_beyond_a_few_unread_responses_a_client_is_disconnected_at_once(tmp_path):
    async with daemon(tmp_path / "s", limits=ConnectionLimits(stalled=2)) as running:
        running.control.state = {"much": "x" * (8 << 20)}
        socks = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        hung_up = select.poll()
        for sock in socks:
            sock.connect(os.fspath(running.path))
            sock.sendall(request("GET", "/v1/status"))
            hung_up.register(sock, select.POLLHUP)
        dropped = await asyncio.to_thread(hung_up.poll, PATIENCE * 1000)
        assert len(dropped) == 1
        for sock in socks:
            sock.close()


async def test_requests_before_a_half_close_are_answered(listener: AnyListener):
    raw = await listener.exchange_all((listener.get + b"\r\n") * 40)
    assert raw.count(b"HTTP/1.1 200") == 40


# --- number


async def test_a_hundred_idle_connections_do_not_delay_others(listener: AnyListener):
    idle = [await listener.connect() for _ in range(100)]
    for _, writer in idle[::2]:
        writer.write(b"GET /healthz HTTP/1.1\r\nA: ")
    replies = await asyncio.gather(*(listener.send({"title": "t"}) for _ in range(20)))
    assert {answer.body["success"] for answer in replies} == {True}
    for _, writer in idle:
        writer.close()


async def test_a_connection_beyond_the_limit_is_refused_while_all_are_busy(tmp_path):
    async with daemon(tmp_path / "s", limits=ConnectionLimits(per_client=3)) as running:
        held = [await asyncio.open_unix_connection(running.path) for _ in range(3)]
        for _, writer in held:
            running.control.waited_for.clear()
            writer.write(request("POST", "/notifications/send?wait=60s", {"title": "t"}))
            async with asyncio.timeout(PATIENCE):
                await running.control.waited_for.wait()
        answer = reply(await exchange(running.path, b""))
        assert answer.refusal == (503, "too_many_connections")
        assert answer.headers["Retry-After"] == "1"
        running.control.settle.set()
        assert reply(await held[0][0].read()).status == 202
        assert (await ask(running.path, "GET", "/healthz")).status == 200
        for _, writer in held:
            writer.close()


@pytest.mark.parametrize("kind", LISTENERS)
async def test_at_the_limit_the_longest_silent_connection_is_closed(tmp_path, kind):
    async with LISTENERS[kind](tmp_path, per_client=3) as listener:
        held = [await listener.connect() for _ in range(3)]
        held[1][1].write(listener.get + b"\r\n")
        async with asyncio.timeout(PATIENCE):
            await held[1][0].readuntil(b"}")
        assert (await listener.probe()).status == 200
        assert reply(await held[0][0].read()).refusal == (503, "too_many_connections")
        assert (await listener.probe()).status == 200
        for _, writer in held[1:]:
            writer.write(listener.get + b"Connection: close\r\n\r\n")
        for reader, _ in held[1:]:
            assert (await reader.read()).startswith(b"HTTP/1.1 200")
        for _, writer in held:
            writer.close()


@pytest.mark.parametrize("kind", LISTENERS)
async def test_silent_connections_beyond_every_limit_lock_nobody_out(tmp_path, kind):
    async with LISTENERS[kind](tmp_path, connections=20, per_client=10) as listener:
        silent = [await listener.connect() for _ in range(100)]
        replies = [await listener.send({"title": "t"}) for _ in range(10)]
        assert {answer.body["success"] for answer in replies} == {True}
        for _, writer in silent:
            writer.close()


@pytest.mark.parametrize("kind", LISTENERS)
async def test_half_sent_bodies_lock_nobody_out(tmp_path, kind):
    async with LISTENERS[kind](tmp_path, connections=20, per_client=10) as listener:
        held = [await listener.connect() for _ in range(40)]
        for _, writer in held:
            writer.write(listener.post + b'Content-Length: 50\r\n\r\n{"title":')
        replies = [await listener.send({"title": "t"}) for _ in range(10)]
        assert {answer.body["success"] for answer in replies} == {True}
        assert await listener.stored() == 10
        for _, writer in held:
            writer.close()


@pytest.mark.parametrize("kind", LISTENERS)
async def test_silent_connections_are_closed_at_the_header_deadline(tmp_path, kind):
    async with LISTENERS[kind](tmp_path, **BRISK) as listener:
        silent = [await listener.connect() for _ in range(20)]
        async with asyncio.timeout(PATIENCE):
            answers = [reply(await reader.read()).refusal for reader, _ in silent]
        assert answers == [(408, "too_slow")] * 20
        for _, writer in silent:
            writer.close()


# --- anything at all

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
names = st.sampled_from(["title", "body", "message", "data", "priority", "key", "delay"])
objects = st.dictionaries(names | st.text(max_size=8), values | st.text(max_size=50))
bodies = st.binary(max_size=200) | objects.map(lambda value: json.dumps(value).encode())
targets = st.sampled_from(["/notifications/send", "/v1/notifications", "/v1/notifications/n1"])
methods = st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD!", "OPTIONS", "CONNECT"])
queries = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)


async def test_no_request_is_answered_with_500_or_without_json(served: Daemon):
    @examples(50, 500)
    @given(method=methods | st.just("POST"), target=targets, query=queries, body=bodies)
    @example(method="GET", target="//[", query="", body=b"")
    @example(method="OPTIONS", target="*", query="", body=b"")
    def check(method: str, target: str, query: str, body: bytes) -> None:
        data = request(method, f"{target}?{query}" if query else target, body)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE)
            sock.connect(os.fspath(served.path))
            answer = reply(exchange_on(sock, data))
        assert answer.status in (200, 202, 400, 404, 405, 409, 422)
        assert answer.body["success"] is (answer.status < 400)
        assert answer.body["success"] or {"error", "code"} <= answer.body.keys()

    await asyncio.to_thread(check)
    assert (await ask(served.path, "GET", "/healthz")).status == 200


async def test_any_bytes_are_answered_in_json_or_not_at_all(brisk: AnyListener):
    lines = st.sampled_from(
        [
            b"GET / HTTP/1.1\r\n",
            b"Host: x\r\n",
            b"\r\n",
            brisk.post,
            b"Content-Length: 9\r\n",
            b"\n",
            b"{}",
        ]
    )
    pieces = st.lists(lines | st.binary(max_size=30), max_size=6)

    @examples(20, 200)
    @given(pieces.map(b"".join))
    def check(data: bytes) -> None:
        raw = brisk.exchange_blocking(data)
        for part in raw.split(b"HTTP/1.")[1:]:
            answer = reply(b"HTTP/1." + part)
            assert 200 <= answer.status < 500

    await asyncio.to_thread(check)
    assert (await brisk.probe()).status in (200, 408)  # it is alive, if not in time
