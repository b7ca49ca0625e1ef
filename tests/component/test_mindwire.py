"""Notifications of mindwire on the TCP listener become events of agents' sessions."""

import hashlib
import hmac
import json

import pytest
from pydantic import SecretStr

from notifyd.config.token import ListenSecrets
from notifyd.model.agents import AgentEvent, AgentReport, QuestionKind
from notifyd.model.notifications import TCP_PEER
from support.socket_api import TCP_TOKEN, tcp_daemon

SECRET = "the secret of the webhooks"
TOKEN = f"Authorization: Bearer {TCP_TOKEN}\r\n"
BODY = {
    "condition": "waiting_approval",
    "title": "Claude needs your approval",
    "body": "Edit src/app.ts",
    "agent": "claude-code",
    "chatId": "c_1",
    "runId": "r_1",
    "actions": [{"id": "approve", "label": "Approve"}],
}


@pytest.fixture
async def tcp():
    async with tcp_daemon() as running:
        running.secrets = ListenSecrets(SecretStr(TCP_TOKEN), webhook_secret=SecretStr(SECRET))
        yield running


async def deliver(tcp, body, headers=TOKEN):
    return await tcp.ask("POST", "/webhooks/mindwire", body, headers)


def signed(raw: bytes, secret: str = SECRET) -> str:
    digest = hmac.digest(secret.encode(), raw, hashlib.sha256).hex()
    return f"X-Mindwire-Signature: sha256={digest}\r\n"


async def test_a_notification_is_an_event_of_its_chat(tcp):
    answer = await deliver(tcp, BODY, f"{TOKEN}X-Mindwire-Channel: shop\r\n")
    assert (answer.status, answer.body["status"]) == (202, "waiting")
    ((report, peer),) = tcp.control.reports
    assert peer == TCP_PEER
    assert report == AgentReport(
        AgentEvent.QUESTION,
        "claude-code",
        "c_1",
        project="shop",
        text="Edit src/app.ts",
        kind=QuestionKind.PERMISSION,
        turn="r_1",
        key="r_1",
    )


@pytest.mark.parametrize(
    ("condition", "event", "kind"),
    [
        ("finished", AgentEvent.DONE, QuestionKind.QUESTION),
        ("error", AgentEvent.FAILED, QuestionKind.QUESTION),
        ("waiting_feedback", AgentEvent.QUESTION, QuestionKind.QUESTION),
        ("waiting_input", AgentEvent.QUESTION, QuestionKind.INPUT),
    ],
)
async def test_each_condition_is_an_event(tcp, condition, event, kind):
    await deliver(tcp, BODY | {"condition": condition})
    ((report, _),) = tcp.control.reports
    assert (report.event, report.kind) == (event, kind)


async def test_what_is_missing_has_a_substitute(tcp):
    await deliver(tcp, {"condition": "finished", "title": "Done", "agent": "My Agent!"})
    await deliver(tcp, {"condition": "error", "agent": "", "runId": "r" * 300})
    (first, _), (second, _) = tcp.control.reports
    assert (first.agent, first.session, first.text) == ("my-agent", "mindwire", "Done")
    assert (second.agent, len(second.session)) == ("mindwire", 128)


async def test_a_signature_admits_without_a_token_or_a_host_of_ours(tcp):
    raw = json.dumps(BODY).encode()
    head = (
        "POST /webhooks/mindwire HTTP/1.1\r\nHost: ws-1.example\r\nConnection: close\r\n"
        f"{signed(raw)}Content-Length: {len(raw)}\r\n\r\n"
    )
    assert b" 202 " in await tcp.exchange(head.encode() + raw)


@pytest.mark.parametrize("headers", ["", signed(b"other"), "Authorization: Bearer wrong\r\n"])
async def test_without_a_token_and_a_signature_nothing_is_taken(tcp, headers):
    assert (await deliver(tcp, BODY, headers)).refusal == (401, "unauthorized")
    tcp.secrets = ListenSecrets(SecretStr(TCP_TOKEN))
    assert (await deliver(tcp, BODY, signed(json.dumps(BODY).encode()))).refusal[0] == 401
    assert not tcp.control.reports


async def test_the_token_admits_with_a_signature_by_another_secret(tcp):
    assert (await deliver(tcp, BODY, TOKEN + signed(b"other"))).status == 202


@pytest.mark.parametrize("condition", ["started", None, 5])
async def test_a_condition_that_is_unknown_is_refused(tcp, condition):
    assert (await deliver(tcp, BODY | {"condition": condition})).refusal[0] == 422
    assert not tcp.control.reports
