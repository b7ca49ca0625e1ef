import asyncio
import gzip
import json
import socket
import threading
import tracemalloc

import pytest

from notifyd import __version__
from notifyd.delivery.client import BODY_LIMIT, RequestEncodingError, SendClient, encode_request
from notifyd.delivery.outcome import decide_outcome
from notifyd.http.resolver import addresses
from notifyd.model.attempts import OutcomeKind, SendAttempt
from notifyd.model.events import Now
from notifyd.model.notifications import Payload
from support.platform import PATH, Platform
from support.post import TOKEN, ask, payload
from support.replies import (
    Reply,
    drip,
    garbled,
    hang,
    html,
    huge,
    ok,
    redirect,
    reset_before,
    reset_during,
    slow,
    status,
)


def kind_of(response) -> OutcomeKind:
    return decide_outcome(response, SendAttempt("n1", 1, 0, 0), Now(0, 0), 0.5).kind


async def test_the_request_is_as_the_contract_says():
    async with Platform() as platform:
        response = await ask(platform.url)
        [request] = platform.received
    assert (request.method, request.path) == ("POST", PATH)
    assert request.json == {
        "title": "Title",
        "body": "Body",
        "data": {
            "team": "backend",
            "notification_id": "n1",
            "trigger": "t",
            "priority": "high",
            "count": "3",
        },
    }
    assert request.headers["authorization"] == f"Bearer {Platform.token}"
    assert request.headers["idempotency-key"] == "n1"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == f"notifyd/{__version__}"
    assert request.headers["accept-encoding"] == "identity"
    assert int(request.headers["content-length"]) == len(request.body)
    assert response.report == {"delivered": 1, "failed": 0, "devices": 1}
    assert kind_of(response) is OutcomeKind.DELIVERED


def test_the_request_body_is_utf8_json_without_empty_fields():
    sent = encode_request(Payload("n", "", "Grüße 🎉 \ud800", {"a": "1"}))
    assert sent.decode("utf-8") == '{"body": "Grüße 🎉 ?", "data": {"a": "1"}}'
    assert json.loads(encode_request(Payload("n", "T", "", {}))) == {"title": "T", "data": {}}


@pytest.mark.parametrize("value", [float("nan"), {1, 2}])
def test_a_payload_that_json_cannot_hold_is_refused(value):
    with pytest.raises(RequestEncodingError):
        encode_request(Payload("n", "T", "", {"value": value}))


@pytest.mark.parametrize(
    ("reply", "expected", "words"),
    [
        (status(503, "maintenance"), OutcomeKind.RETRY, "503 (maintenance)"),
        (status(429, "slow down", Retry_After=7), OutcomeKind.RETRY, "wait for 7 s"),
        (status(401, "revoked"), OutcomeKind.REFUSED, "store a new one in the test"),
        (status(403), OutcomeKind.FORBIDDEN, "403"),
        (status(402), OutcomeKind.ENDPOINT, "payment"),
        (status(422, "body: too long"), OutcomeKind.FAILED, "body: too long"),
        (ok(success=False, error="busy"), OutcomeKind.RETRY, "busy"),
        (ok(devices=0), OutcomeKind.NO_DEVICE, "no device"),
        (html(), OutcomeKind.RETRY, "not with JSON"),
        (html(502), OutcomeKind.RETRY, "502"),
        (garbled(), OutcomeKind.RETRY, "not with JSON"),
        (Reply(204), OutcomeKind.RETRY, "204"),
        (reset_before(), OutcomeKind.RETRY, "broke off before the answer"),
        (reset_during(), OutcomeKind.RETRY, "broke off in mid-answer"),
        (Reply(700), OutcomeKind.RETRY, "700"),
        (Reply(headers={"X": "y" * 20_000}), OutcomeKind.RETRY, "does not speak HTTP"),
        (Reply(headers={"Bad name\x01": "y"}), OutcomeKind.RETRY, "does not speak HTTP"),
        (huge(), OutcomeKind.RETRY, "not with JSON"),
        (huge(400), OutcomeKind.FAILED, "400"),
    ],
)
async def test_each_response_has_its_outcome_and_reason(reply, expected, words):
    async with Platform() as platform:
        platform.plan(reply)
        response = await ask(platform.url)
    outcome = decide_outcome(response, SendAttempt("n1", 1, 0, 0), Now(0, 0), 0.5)
    assert outcome.kind is expected
    assert words in outcome.reason
    assert Platform.token not in repr(outcome)


@pytest.mark.parametrize("reply", [hang(), drip(), slow(30)])
async def test_a_request_that_exceeds_the_deadline_is_aborted(reply):
    async with Platform() as platform:
        platform.plan(reply)
        async with asyncio.timeout(45):
            response = await ask(platform.url, timeout=0.2)
    assert response.status is None
    assert response.fault == "no answer from localhost within 0.2 s"


async def test_an_error_with_a_dripping_body_is_judged_by_its_status():
    async with Platform() as platform:
        platform.plan(Reply(422, delay=0.02, fault="drip"))
        response = await ask(platform.url, timeout=1.0)
    assert kind_of(response) is OutcomeKind.FAILED


async def test_a_huge_response_is_read_in_bounded_memory():
    async with Platform() as platform:
        platform.plan(huge(), ok())
        async with SendClient(platform.url, 5) as client:
            tracemalloc.start()
            try:
                await client.send("n1", encode_request(payload()), TOKEN)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            after = await client.send("n2", encode_request(payload("n2")), TOKEN)
    assert peak < 16 * BODY_LIMIT
    assert kind_of(after) is OutcomeKind.DELIVERED


async def test_a_compressed_response_is_never_unpacked():
    packed = gzip.compress(b'{"success": false, "error": "unpacked"}')
    async with Platform() as platform:
        platform.plan(Reply(500, packed, {"Content-Encoding": "gzip"}))
        response = await ask(platform.url)
    assert (response.status, response.success, response.error) == (500, None, "")


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_and_the_token_goes_nowhere_else(code):
    async with Platform() as elsewhere, Platform() as platform:
        platform.plan(redirect(elsewhere.url + PATH, code))
        response = await ask(platform.url)
        assert elsewhere.sockets == 0
    assert (response.status, response.redirect_host) == (code, "localhost")
    assert kind_of(response) is OutcomeKind.ENDPOINT


async def test_cookies_are_not_kept():
    async with Platform() as platform, SendClient(platform.url, 5) as client:
        platform.plan(Reply(headers={"Set-Cookie": "session=1; Path=/"}))
        await client.send("n1", encode_request(payload()), TOKEN)
        await client.send("n2", encode_request(payload("n2")), TOKEN)
        assert "cookie" not in platform.received[1].headers


async def test_a_connection_serves_many_requests():
    async with Platform() as platform, SendClient(platform.url, 5) as client:
        for _ in range(5):
            await client.send("n1", encode_request(payload()), TOKEN)
        assert (len(platform.received), platform.sockets) == (5, 1)


async def test_a_refused_connection_is_named_and_recovers():
    async with Platform() as platform, SendClient(platform.url, 5) as client:
        await platform.down()
        response = await client.send("n1", encode_request(payload()), TOKEN)
        said = f"cannot connect to localhost:{platform.port} (Connection refused)"
        assert response.fault == said
        await platform.up()
        assert (
            kind_of(await client.send("n1", encode_request(payload()), TOKEN))
            is OutcomeKind.DELIVERED
        )


async def test_an_unresolvable_name_is_reported():
    host = f"{'x' * 64}.invalid"  # too long for a name server to be asked
    response = await ask(f"https://{host}")
    assert response.fault == f"cannot resolve {host}"


async def test_a_name_server_that_never_answers_does_not_delay_the_process():
    def never_answer(*_: object) -> list:
        threads.append(threading.current_thread())
        release.wait(45)
        return []

    threads, release = [], threading.Event()
    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await addresses("host", 443, socket.AF_UNSPEC, resolve=never_answer)
        assert [thread.daemon for thread in threads] == [True]
    finally:
        release.set()
        threads[0].join()


async def test_netrc_is_never_read(tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login somebody password from-netrc\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with Platform() as platform:
        await ask(platform.url)
    assert platform.received[0].headers["authorization"] == f"Bearer {Platform.token}"


async def test_cancelling_a_request_leaves_the_client_usable():
    async with Platform() as platform, SendClient(platform.url, 30) as client:
        platform.plan(hang(), ok())
        task = asyncio.create_task(client.send("n1", encode_request(payload()), TOKEN))
        await platform.wait(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        response = await client.send("n1", encode_request(payload()), TOKEN)
    assert kind_of(response) is OutcomeKind.DELIVERED
