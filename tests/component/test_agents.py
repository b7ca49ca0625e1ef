"""Events of coding agents on the local API."""

import pytest

from notifyd.config.sections import SocketConfig, SocketRateConfig
from notifyd.model.agents import TEXT_KEPT, AgentEvent, AgentReport, QuestionKind
from notifyd.model.errors import StoreUnavailableError
from notifyd.model.notifications import TCP_PEER
from support.socket_api import TCP_TOKEN, ask, daemon, tcp_daemon

EVENT = {"agent": "claude-code", "session": "s1", "project": "shop"}
TOKEN = f"Authorization: Bearer {TCP_TOKEN}\r\n"


@pytest.fixture
async def served(tmp_path):
    async with daemon(tmp_path / "s") as running:
        yield running


async def test_an_event_is_answered_with_what_became_of_it(served):
    fields = EVENT | {
        "directory": "/srv/shop",
        "text": "\x1b[1mDeploy\x1b[0m now?",
        "kind": "permission",
        "cause": None,
        "turn": "p1",
        "key": "t1",
        "background": 2,
        "subagent": False,
        "automatic": True,
        "time": "2026-03-02T12:00:00Z",
    }
    answer = await ask(served.path, "POST", "/v1/agents/question", fields)
    assert answer.status == 202
    assert answer.body == {
        "success": True,
        "status": "waiting",
        "reason": "pushed in 30s unless it is answered before",
    }
    ((report, peer),) = served.control.reports
    assert report == AgentReport(
        AgentEvent.QUESTION,
        "claude-code",
        "s1",
        project="shop",
        directory="/srv/shop",
        text="Deploy now?",
        kind=QuestionKind.PERMISSION,
        turn="p1",
        key="t1",
        background=2,
        automatic=True,
        time=1_772_452_800.0,
    )
    assert peer.uid >= 0


@pytest.mark.parametrize("event", list(AgentEvent))
async def test_every_event_is_a_path_on_both_listeners(served, event):
    assert (await ask(served.path, "POST", f"/v1/agents/{event}", EVENT)).status == 202
    async with tcp_daemon() as tcp:
        path = f"/v1/agents/{event}"
        assert (await tcp.ask("POST", path, EVENT, TOKEN)).status == 202
        assert (await tcp.ask("POST", path, EVENT)).refusal == (401, "unauthorized")
        ((report, peer),) = tcp.control.reports
    assert (report.event, peer) == (event, TCP_PEER)


@pytest.mark.parametrize(
    ("event", "fields", "refusal", "sentence"),
    [
        ("stop", EVENT, (422, "wrong_field"), "event: unknown; known are prompt, question"),
        ("don", EVENT, (422, "wrong_field"), "did you mean"),
        ("done", {"agent": "x"}, (422, "wrong_field"), "session: is required"),
        ("done", EVENT | {"agent": "Claude Code"}, (422, "wrong_field"), "agent: "),
        ("done", EVENT | {"session": "x" * 129}, (422, "wrong_field"), "session: "),
        ("done", EVENT | {"session": ""}, (422, "wrong_field"), "session: "),
        ("done", EVENT | {"background": -1}, (422, "wrong_field"), "background: "),
        ("done", EVENT | {"kind": "other"}, (422, "wrong_field"), "kind: "),
        ("done", EVENT | {"time": "noon"}, (422, "wrong_field"), "time: must be a time as in"),
        ("done", EVENT | {"time": True}, (422, "wrong_field"), "time: must be a time as in"),
        ("done", EVENT | {"messsage": "x"}, (422, "unknown_field"), "messsage: unknown field"),
    ],
)
async def test_a_wrong_event_is_refused_in_a_sentence(served, event, fields, refusal, sentence):
    answer = await ask(served.path, "POST", f"/v1/agents/{event}", fields)
    assert answer.refusal == refusal
    assert sentence in answer.body["error"]
    assert not served.control.reports


async def test_long_texts_are_clipped_and_times_may_be_numbers(served):
    fields = EVENT | {"text": "x" * 5000, "project": "p" * 100, "time": 1_772_452_800}
    assert (await ask(served.path, "POST", "/v1/agents/done", fields)).status == 202
    ((report, _),) = served.control.reports
    assert (len(report.text), len(report.project)) == (TEXT_KEPT, 64)
    assert report.text.endswith("…")
    assert report.time == 1_772_452_800.0


async def test_an_event_that_cannot_be_stored_is_not_acknowledged(served):
    served.control.failure = StoreUnavailableError("the disk is full")
    answer = await ask(served.path, "POST", "/v1/agents/done", EVENT)
    assert answer.refusal == (503, "store_unavailable")


async def test_events_have_a_rate_that_messages_do_not_use_up(tmp_path):
    settings = SocketConfig(rate=SocketRateConfig(max=2, per="1h"))
    async with daemon(tmp_path / "s", settings) as running:
        statuses = [
            (await ask(running.path, "POST", "/v1/agents/activity", EVENT)).status for _ in range(3)
        ]
        assert statuses == [202, 202, 429]
        assert (await ask(running.path, "POST", "/v1/agents/question", EVENT)).status == 202
        sent = await ask(running.path, "POST", "/notifications/send", {"title": "hi"})
        assert sent.status == 202
