"""Clients that mean harm or know no better: bounded, answered in JSON, no burden on others."""

import asyncio
import json
import os
import select
import socket

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from notifyd.api.connection import Limits
from support.socket_api import (
    PATIENCE,
    POST,
    Daemon,
    ask,
    daemon,
    exchange,
    exchange_blocking,
    reply,
    request,
    send,
)

# --- time


@pytest.mark.parametrize("said", [b"", b"GE", b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: "])
async def test_a_head_that_does_not_end_is_answered_408(brisk: Daemon, said):
    answer = reply(await exchange(brisk.path, said))
    assert answer.refusal == (408, "too_slow")


async def test_a_head_that_trickles_wins_no_time(brisk: Daemon):
    reader, writer = await asyncio.open_unix_connection(brisk.path)
    answer = asyncio.create_task(reader.read())
    async with asyncio.timeout(PATIENCE):
        writer.write(b"GET /healthz HTTP/1.1\r\nA: ")
        while not answer.done():
            writer.write(b"x")
            await asyncio.wait({answer}, timeout=0.02)
    assert reply(answer.result()).refusal == (408, "too_slow")
    writer.close()


async def test_a_body_that_does_not_come_is_answered_408(brisk: Daemon):
    answer = reply(await exchange(brisk.path, POST + b'Content-Length: 50\r\n\r\n{"title":'))
    assert answer.refusal == (408, "too_slow")
    assert not brisk.control.rows


async def test_a_connection_without_a_next_request_is_closed_in_silence(brisk: Daemon):
    raw = await exchange(brisk.path, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert reply(raw).status == 200


async def test_a_second_head_that_does_not_end_is_answered_408(brisk: Daemon):
    raw = await exchange(brisk.path, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET")
    first, _, second = raw.partition(b'"ok"}')
    assert first.startswith(b"HTTP/1.1 200")
    assert second == b"" or reply(second).refusal == (408, "too_slow")


async def test_a_slow_handler_is_not_taken_for_a_slow_client(brisk: Daemon):
    answer = await ask(brisk.path, "POST", "/notifications/send?wait=500ms", {"title": "t"})
    assert answer.status == 202


@pytest.mark.parametrize("keep", [True, False])
async def test_whoever_does_not_read_the_answer_is_dropped(brisk: Daemon, keep):
    brisk.control.state = {"much": "x" * (8 << 20)}
    asked = request("GET", "/v1/status")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(os.fspath(brisk.path))
        sock.sendall(asked.replace(b"Connection: close\r\n", b"") if keep else asked)
        hung_up = select.poll()
        hung_up.register(sock, select.POLLHUP)
        assert await asyncio.to_thread(hung_up.poll, PATIENCE * 1000)
    assert (await ask(brisk.path, "GET", "/healthz")).status == 200


async def test_many_who_do_not_read_are_dropped_at_once(tmp_path):
    async with daemon(tmp_path / "s", limits=Limits(stalled=2)) as running:
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


async def test_what_came_before_a_client_closed_its_half_is_answered(served: Daemon):
    one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    raw = await asyncio.to_thread(exchange_blocking, served.path, one * 40)
    assert raw.count(b"HTTP/1.1 200") == 40


# --- number


async def test_a_hundred_idle_connections_harm_nobody(served: Daemon):
    idle = [await asyncio.open_unix_connection(served.path) for _ in range(100)]
    for _, writer in idle[::2]:
        writer.write(b"GET /healthz HTTP/1.1\r\nA: ")
    replies = await asyncio.gather(*(send(served.path, {"title": "t"}) for _ in range(20)))
    assert {answer.status for answer in replies} == {202}
    for _, writer in idle:
        writer.close()


async def test_one_connection_too_many_is_refused_until_another_ends(tmp_path):
    async with daemon(tmp_path / "s", limits=Limits(per_user=3)) as running:
        held = [await asyncio.open_unix_connection(running.path) for _ in range(3)]
        answer = reply(await exchange(running.path, b""))
        assert answer.refusal == (503, "too_many_connections")
        assert answer.headers["Retry-After"] == "1"
        held[0][1].write(request("GET", "/healthz"))
        assert reply(await held[0][0].read()).status == 200
        assert (await ask(running.path, "GET", "/healthz")).status == 200
        for _, writer in held:
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
    @settings(max_examples=150, deadline=None, database=None)
    @given(method=methods | st.just("POST"), target=targets, query=queries, body=bodies)
    @example(method="GET", target="//[", query="", body=b"")
    @example(method="OPTIONS", target="*", query="", body=b"")
    def check(method: str, target: str, query: str, body: bytes) -> None:
        data = request(method, f"{target}?{query}" if query else target, body)
        answer = reply(exchange_blocking(served.path, data))
        assert answer.status in (200, 202, 400, 404, 405, 409, 422)
        assert answer.body["success"] is (answer.status < 400)
        assert answer.body["success"] or {"error", "code"} <= answer.body.keys()

    await asyncio.to_thread(check)
    assert (await ask(served.path, "GET", "/healthz")).status == 200


async def test_no_bytes_whatsoever_are_answered_by_anything_but_json(brisk: Daemon):
    lines = st.sampled_from(
        [
            b"GET / HTTP/1.1\r\n",
            b"Host: x\r\n",
            b"\r\n",
            POST,
            b"Content-Length: 9\r\n",
            b"\n",
            b"{}",
        ]
    )
    pieces = st.lists(lines | st.binary(max_size=30), max_size=6)

    @settings(max_examples=40, deadline=None, database=None)
    @given(pieces.map(b"".join))
    def check(data: bytes) -> None:
        raw = exchange_blocking(brisk.path, data)
        for part in raw.split(b"HTTP/1.")[1:]:
            answer = reply(b"HTTP/1." + part)
            assert 200 <= answer.status < 500

    await asyncio.to_thread(check)
    assert (await ask(brisk.path, "GET", "/healthz")).status == 200
