"""gotify's publishing API on the TCP listener."""

from datetime import datetime

import pytest

from notifyd.model.notifications import TCP_PEER, Message
from support.socket_api import TCP_TOKEN, reply, request, tcp_daemon

KEY = f"X-Gotify-Key: {TCP_TOKEN}\r\n"
FORM = "Content-Type: application/x-www-form-urlencoded\r\n"
MULTIPART = "Content-Type: multipart/form-data; boundary=xyz\r\n"


@pytest.fixture
async def tcp():
    async with tcp_daemon() as running:
        yield running


async def publish(tcp, body: object, headers: str = "", query: str = ""):
    raw = request("POST", f"/message{query}", b"" if body is None else body, KEY + headers)
    return reply(await tcp.exchange(raw))


def multipart(*fields: tuple[str, str]) -> bytes:
    parts = [f'--xyz\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
             for name, value in fields]  # fmt: skip
    return "".join([*parts, "--xyz--\r\n"]).encode()


async def test_json_is_answered_in_gotifys_form(tcp):
    link = {"client::notification": {"click": {"url": "https://x.example/1"}}}
    extras = link | {"client::display": {"contentType": "text/markdown"}}
    body = {"title": "Backup", "message": "**done**", "priority": 8, "extras": extras}
    answer = await publish(tcp, body)
    assert answer.status == 200
    assert 0 < answer.body.pop("id") < 2**53
    assert datetime.fromisoformat(answer.body.pop("date")).tzinfo
    assert answer.body == body | {"appid": 1, "notification_id": "n1"}
    data = {"url": "https://x.example/1"}
    assert tcp.control.messages["n1"] == Message("Backup", "**done**", data)
    assert tcp.control.rows["n1"]["priority"] == "high"
    assert tcp.control.peers["n1"] == TCP_PEER


@pytest.mark.parametrize(
    ("body", "headers", "query"),
    [
        (b"title=A+title&message=one%0Atwo&priority=1", FORM, ""),
        (
            multipart(("title", "A title"), ("message", "one\ntwo"), ("priority", "1")),
            MULTIPART,
            "",
        ),
        (None, "", "?title=A%20title&message=one%0Atwo&priority=1"),
        (b"title=A+title&message=one%0Atwo", FORM, "?priority=1&title=other"),
        (b'{"title":"A title","message":"one\\ntwo","priority":1}', FORM, ""),
    ],
)
async def test_forms_and_the_query_carry_the_same(tcp, body, headers, query):
    assert (await publish(tcp, body, headers, query)).status == 200
    assert tcp.control.messages["n1"] == Message("A title", "one\ntwo")
    assert tcp.control.rows["n1"]["priority"] == "low"


@pytest.mark.parametrize(
    ("level", "priority"),
    [
        *((None, "default"), (-1, "min"), (0, "min"), (1, "low"), (3, "low"), (4, "default")),
        *((7, "default"), (8, "high"), (9, "high"), (10, "urgent"), (99, "urgent")),
    ],
)
async def test_levels_are_five_priorities(tcp, level, priority):
    assert (await publish(tcp, {"message": "x", "priority": level})).status == 200
    assert tcp.control.rows["n1"]["priority"] == priority


@pytest.mark.parametrize(
    ("body", "headers", "part"),
    [
        ({"title": "no message"}, "", "message: is required"),
        ({"message": ""}, "", "message: "),
        ({"message": "  "}, "", "at least one of them must have text"),
        ({"message": "x", "priority": "high"}, "", "priority: "),
        ({"message": "x", "priority": 10**20}, "", "priority: "),
        (b"{", "", "the body is not JSON"),
        (b"message=x&priority=high", FORM, "priority: "),
        (b"a=1&" * 200, FORM, "more than 100 fields"),
        (b"", FORM, "message: is required"),
        (b"", MULTIPART, "the form has no part"),
        (b"--xyz\r\n" * 300, MULTIPART, "more than 100 fields"),
        (b"--xyz\r\nno name\r\n\r\nvalue\r\n--xyz--", MULTIPART, "message: is required"),
        (b"message=x", "Content-Type: multipart/form-data\r\n", "the form has no part"),
        (b"x", "Content-Type: multipart/form-data;a*0;a*\r\n", "malformed parameters"),
        (
            b"--xyz\r\nContent-Disposition: form-data; name*0;name*\r\n\r\nvalue\r\n--xyz--",
            MULTIPART,
            "malformed parameters",
        ),
        (b"x", "Content-Type: application/x;a*0;a*\r\n", "message: is required"),
    ],
)
async def test_a_wrong_value_is_refused_in_gotifys_form(tcp, body, headers, part):
    answer = await publish(tcp, body, headers)
    assert answer.status == 400
    assert part in answer.body.pop("errorDescription")
    assert answer.body == {"error": "Bad Request", "errorCode": 400}
    assert not tcp.control.rows


async def test_without_the_token_the_error_has_gotifys_form(tcp):
    answer = await tcp.ask("POST", "/message", {"message": "x"})
    assert (answer.status, answer.body["errorCode"]) == (401, 401)
    assert "token" in answer.body["errorDescription"]


async def test_messages_cannot_be_listed(tcp):
    answer = await tcp.ask("GET", "/message", headers=KEY)
    assert answer.refusal == (405, "method_not_allowed")
