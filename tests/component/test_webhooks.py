"""Webhooks of the platform on the TCP listener: signed, parsed, and handed to the daemon."""

import base64
import hashlib
import hmac
import json

import pytest
from pydantic import SecretStr

from notifyd.config.token import ListenSecrets
from notifyd.model.errors import StoreUnavailableError
from support.socket_api import tcp_daemon

SECRET = "the secret of the webhooks"
BODY = {
    "event": "workload.failed",
    "id": "evt_1",
    "data": {"workload_id": "wl_1", "exit": {"code": 3}, "restarts": None},
}


def signature(raw: bytes, secret: str = SECRET) -> bytes:
    return hmac.digest(secret.encode(), raw, hashlib.sha256)


@pytest.fixture
async def tcp():
    async with tcp_daemon() as running:
        running.secrets = ListenSecrets(webhook_secret=SecretStr(SECRET))
        yield running


async def deliver(tcp, body, signed: str | None = None, **headers: str):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers["X-Webhook-Signature"] = signature(raw).hex() if signed is None else signed
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return await tcp.ask("POST", "/webhooks/oblien", raw, lines)


@pytest.mark.parametrize("prefix", ["", "sha256="])
@pytest.mark.parametrize("encode", [bytes.hex, lambda raw: base64.b64encode(raw).decode()])
async def test_every_form_of_the_signature_is_accepted(tcp, prefix, encode):
    raw = json.dumps(BODY).encode()
    answer = await deliver(tcp, raw, prefix + encode(signature(raw)))
    assert (answer.status, answer.body) == (200, {"success": True, "duplicate": False})


@pytest.mark.parametrize("signed", ["", "sha256=", "zz", signature(b"other").hex(), "00" * 32])
async def test_a_wrong_signature_is_refused_before_the_body_is_parsed(tcp, signed):
    assert (await deliver(tcp, b"not JSON", signed)).refusal == (401, "wrong_signature")
    assert not tcp.control.webhooks


async def test_neither_a_token_nor_a_host_of_ours_is_needed(tcp):
    raw = json.dumps(BODY).encode()
    head = (
        f"POST /webhooks/oblien HTTP/1.1\r\nHost: ws-1.example\r\nConnection: close\r\n"
        f"X-Webhook-Signature: {signature(raw).hex()}\r\nContent-Length: {len(raw)}\r\n\r\n"
    )
    assert b" 200 " in await tcp.exchange(head.encode() + raw)


async def test_an_event_is_described_by_its_body(tcp):
    await deliver(tcp, BODY)
    [webhook] = tcp.control.webhooks
    assert (webhook.name, webhook.line) == ("workload.failed", "workload.failed: wl_1")
    assert webhook.fields == {
        "event": "workload.failed",
        "id": "evt_1",
        "data.workload_id": "wl_1",
        "data.exit.code": "3",
        "data.restarts": "null",
    }
    assert '\n    "workload_id": "wl_1"' in webhook.text


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ({"type": "vm.stopped", "name": "box", "id": "e"}, "vm.stopped: box"),
        ({"event": "vm.stopped", "id": 7}, "vm.stopped: 7"),
        ({"event": "credits.low"}, "credits.low"),
        ({"event": "credits.low", "data": [1]}, "credits.low"),
    ],
)
async def test_the_line_names_what_the_event_is_about(tcp, body, line):
    await deliver(tcp, body)
    assert [webhook.line for webhook in tcp.control.webhooks] == [line]


async def test_what_a_huge_body_shows_is_bounded(tcp):
    details = {f"key-{number}": "x" * 500 for number in range(100)}
    await deliver(tcp, {"event": "e", "data": details})
    [webhook] = tcp.control.webhooks
    assert len(webhook.fields) == 64
    assert max(map(len, webhook.fields.values())) == 300
    assert len(webhook.text) == 1500
    assert (await deliver(tcp, {"event": "e", "data": "x" * 70_000})).refusal[0] == 413


@pytest.mark.parametrize("header", ["X_Webhook_Id", "X_Webhook_Delivery"])
async def test_the_delivery_id_identifies_a_delivery_else_the_body(tcp, header):
    for body, headers in (
        ({"event": "e", "n": 1}, {header: "d1"}),
        ({"event": "e", "n": 2}, {header: "d1"}),
        ({"event": "e", "n": 3, "id": "d1"}, {}),
        ({"event": "e", "n": 4}, {}),
        ({"event": "e", "n": 4}, {}),
        ({"event": "e", "n": 5}, {}),
    ):
        await deliver(tcp, body, **headers)
    keys = [webhook.key for webhook in tcp.control.webhooks]
    assert keys[0] == keys[1] == keys[2]
    assert keys[3] == keys[4]
    assert len(set(keys)) == 3
    assert [webhook.remember for webhook in tcp.control.webhooks[2:4]] == [86_400.0, 600.0]


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (b"{", (400, "bad_request")),
        (b"[]", (422, "validation_error")),
        (b"{}", (422, "validation_error")),
        (b'{"event": 5}', (422, "validation_error")),
        (b'{"event": ' + b"[" * 5_000, (400, "bad_request")),
    ],
)
async def test_a_signed_body_that_is_no_event_is_refused(tcp, body, refusal):
    answer = await deliver(tcp, body)
    assert answer.status == refusal[0]
    assert answer.body["success"] is False


async def test_while_nothing_can_be_stored_the_platform_is_asked_to_try_again(tcp):
    tcp.control.failure = StoreUnavailableError("the disk is full")
    assert (await deliver(tcp, BODY)).refusal == (503, "store_unavailable")


async def test_without_a_secret_nothing_is_received(tcp):
    tcp.secrets = ListenSecrets()
    assert (await deliver(tcp, BODY)).refusal == (404, "not_found")
