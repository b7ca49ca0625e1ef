"""Clients that mean harm or know no better: bounded, answered in JSON, no burden on others."""

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
async def test_a_head_that_does_not_end_is_answered_408(brisk: AnyListener, said):
    answer = reply(await brisk.exchange(said))
    assert answer.refusal == (408, "too_slow")


async def test_a_head_that_trickles_wins_no_time(brisk: AnyListener):
    def trickle() -> bytes:
        with brisk.connect_blocking() as sock:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nA: ")
            while not select.select([sock], [], [], 0.02)[0]:
                with suppress(OSError):  # it may just have been closed
                    sock.sendall(b"x")
            return sock.recv(1 << 16)

    assert reply(await asyncio.to_thread(trickle)).refusal == (408, "too_slow")


async def test_a_body_that_does_not_come_is_answered_408(brisk: AnyListener):
    answer = reply(await brisk.exchange(brisk.post + b'Content-Length: 50\r\n\r\n{"title":'))
    assert answer.refusal == (408, "too_slow")
    assert not await brisk.kept()


async def test_a_connection_without_a_next_request_is_closed_in_silence(brisk: AnyListener):
    assert reply(await brisk.exchange(brisk.get + b"\r\n")).status == 200


async def test_a_second_head_that_does_not_end_is_answered_408(brisk: AnyListener):
    first, _, second = (await brisk.exchange(brisk.get + b"\r\nGET")).partition(b"}")
    assert first.startswith(b"HTTP/1.1 200")
    assert second == b"" or reply(second).refusal == (408, "too_slow")


async def test_a_slow_handler_is_not_taken_for_a_slow_client(tmp_path):
    async with daemon(tmp_path / "s", limits=ConnectionLimits(**BRISK)) as running:
        answer = await ask(running.path, "POST", "/notifications/send?wait=500ms", {"title": "t"})
    assert answer.status == 202


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("more", [20_000, 8 << 20])
async def test_whoever_does_not_read_the_answer_is_dropped(tmp_path, keep, more):
    writer, reader = socket.socketpair(socket.AF_UNIX)
    with writer, reader:
        writer.settimeout(0)
        kernel = writer.send(bytes(8 << 20))  # what the kernel takes without a reader
    async with daemon(tmp_path / "s", limits=ConnectionLimits(**BRISK)) as running:
        running.control.state = {"much": "x" * (kernel + more)}
        asked = request("GET", "/v1/status")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(os.fspath(running.path))
            sock.sendall(asked.replace(b"Connection: close\r\n", b"") if keep else asked)
            hung_up = select.poll()
            hung_up.register(sock, select.POLLHUP)
            assert await asyncio.to_thread(hung_up.poll, PATIENCE * 1000)
        assert (await ask(running.path, "GET", "/healthz")).status == 200


async def test_many_who_do_not_read_are_dropped_at_once(tmp_path):
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


async def test_what_came_before_a_client_closed_its_half_is_answered(listener: AnyListener):
    raw = await listener.exchange_all((listener.get + b"\r\n") * 40)
    assert raw.count(b"HTTP/1.1 200") == 40


# --- number


async def test_a_hundred_idle_connections_harm_nobody(listener: AnyListener):
    idle = [await listener.connect() for _ in range(100)]
    for _, writer in idle[::2]:
        writer.write(b"GET /healthz HTTP/1.1\r\nA: ")
    replies = await asyncio.gather(*(listener.send({"title": "t"}) for _ in range(20)))
    assert {answer.body["success"] for answer in replies} == {True}
    for _, writer in idle:
        writer.close()


async def test_one_connection_too_many_is_refused_until_another_ends(tmp_path):
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
async def test_the_connection_that_is_silent_longest_gives_way(tmp_path, kind):
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
async def test_silent_connections_beyond_every_limit_keep_nobody_out(tmp_path, kind):
    async with LISTENERS[kind](tmp_path, connections=20, per_client=10) as listener:
        silent = [await listener.connect() for _ in range(100)]
        replies = [await listener.send({"title": "t"}) for _ in range(10)]
        assert {answer.body["success"] for answer in replies} == {True}
        for _, writer in silent:
            writer.close()


@pytest.mark.parametrize("kind", LISTENERS)
async def test_silent_connections_are_closed_after_the_time_for_headers(tmp_path, kind):
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


async def test_no_request_whatsoever_is_a_500_or_not_json(served: Daemon):
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


async def test_no_bytes_whatsoever_are_answered_by_anything_but_json(brisk: AnyListener):
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
    assert (await brisk.probe()).status == 200
