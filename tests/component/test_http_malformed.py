"""Requests that are too large, invalid HTTP or invalid JSON are refused in JSON."""

import asyncio

import pytest

from notifyd.model.notifications import Message
from support.listeners import LISTENERS, AnyListener
from support.socket_api import JSON, PATIENCE, Daemon, ask, reply, send

# --- size


@pytest.mark.parametrize("kind", LISTENERS)
async def test_a_large_body_is_refused_by_its_announced_length(tmp_path, kind):
    async with LISTENERS[kind](tmp_path, linger=0.2) as listener:
        raw = await listener.exchange(listener.post + b"Content-Length: 20000000\r\n\r\n")
    assert reply(raw).refusal == (413, "too_large")


async def test_a_body_of_20_mib_is_refused(listener: AnyListener):
    head = listener.post + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % (20 << 20)
    raw = await listener.exchange_all(head + b"x" * (20 << 20))
    assert reply(raw).refusal == (413, "too_large")


@pytest.mark.parametrize("kind", LISTENERS)
async def test_a_chunked_body_is_limited_too(tmp_path, kind):
    chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
    async with LISTENERS[kind](tmp_path, linger=0.2) as listener:
        head = listener.post + b"Transfer-Encoding: chunked\r\n\r\n"
        raw = await listener.exchange(head + chunk * 4)
    assert reply(raw).refusal == (413, "too_large")


async def test_a_chunked_body_is_accepted(listener: AnyListener):
    chunks = b'8\r\n{"title"\r\n5\r\n:"t"}\r\n0\r\n\r\n'
    head = listener.post + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert reply(await listener.exchange(head + chunks)).status in (200, 202)
    assert await listener.stored() == 1


# --- form


async def test_a_broken_chunk_after_a_continue_is_refused(listener: AnyListener):
    reader, writer = await listener.connect()
    writer.write(listener.post + b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n")
    async with asyncio.timeout(PATIENCE):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"ZZ\r\n\r\n")
        assert reply(await reader.read()).refusal == (400, "bad_request")
    writer.close()


@pytest.mark.parametrize(
    "content_type", ["", "application/x-www-form-urlencoded", "Application/JSON; charset=utf-8"]
)
async def test_json_needs_no_content_type_that_says_so(listener: AnyListener, content_type):
    header = f"Content-Type: {content_type}\r\n" if content_type else ""
    head = listener.post.replace(JSON.encode(), header.encode())
    raw = await listener.exchange_all(head + b'Content-Length: 13\r\n\r\n{"title":"t"}')
    assert reply(raw).body["success"] is True
    assert await listener.stored() == 1


@pytest.mark.parametrize(
    "content_type", ["text/json", "text/plain", "multipart/form-data; boundary=x"]
)
async def test_a_wrong_content_type_is_refused_with_the_right_one(served: Daemon, content_type):
    headers = f"Content-Type: {content_type}\r\n"
    answer = await ask(served.path, "POST", "/notifications/send", {"title": "t"}, headers)
    assert answer.refusal == (415, "wrong_content_type")
    assert "Content-Type: application/json" in answer.body["error"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 10_000,
        b'{"data":' * 5_000 + b"1" + b"}" * 5_000,
        b'{"title":"t","data":{"a":NaN}}',
        b'{"title":"t","data":{"a":-Infinity}}',
        b'{"title":"\xff"}',
        b'{"title":"t","data":{"a":' + b"9" * 5_000 + b"}}",
    ],
)
async def test_invalid_json_is_answered_with_400(listener: AnyListener, body):
    assert (await listener.send(body)).refusal == (400, listener.invalid_json)
    assert not await listener.stored()


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"[" * 100 + b"]" * 100, "data_too_deep"), (b"1e999", "wrong_field")],
)
async def test_data_that_cannot_be_forwarded_is_answered_with_422(served: Daemon, data, code):
    body = b'{"title":"t","data":{"a":' + data + b"}}"
    assert (await send(served.path, body)).refusal == (422, code)


async def test_lone_surrogates_are_replaced(served: Daemon):
    body = rb'{"title":"a\ud800b","body":"\ud83e\uddb6","key":"\udfff","data":{"\ud800":"\udc00"}}'
    assert (await send(served.path, body)).status == 202
    replaced = Message("a\ufffdb", "🦶", {"\ufffd": "\ufffd"})
    assert served.control.messages["n1"] == replaced
    assert served.control.rows["n1"]["key"] == "\ufffd"
