"""Coding agents with a real daemon: kills, the spool, mutes, and what `explain` says of a push."""

import json

import pytest

from notifyd.client.spool import spool_request
from support.daemon import PLENTY, wait_for

AGENT = {"agent": "claude-code", "session": "s1", "project": "shop"}


@pytest.fixture
def start(daemon, tmp_path, monkeypatch):
    """Return a daemon with this grace period that has started."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def start(grace):
        config = f'{PLENTY}\n[agents]\ngrace = "{grace}"\n'
        return daemon(config, STATE_DIRECTORY="", XDG_STATE_HOME=str(tmp_path)).start()

    return start


def report(one, event, **fields):
    return one.ask("POST", f"/v1/agents/{event}", AGENT | fields)


def titles(platform):
    return [received.json["title"] for received in platform.received]


def steps(one):
    (explained,) = one.ask("GET", "/v1/explain?trigger=agents")["triggers"]
    return [step["did"] for step in explained["trail"]]


def test_a_question_is_pushed_with_its_text_and_its_answer_is_explained(start, platform):
    one = start("1s")
    report(one, "prompt")
    secret = "curl -H 'Authorization: Bearer 0123456789abcdef0123'"
    assert report(one, "question", key="t1", kind="permission", text=secret)["status"] == "waiting"
    wait_for(lambda: platform.received)
    (received,) = platform.received
    assert received.json["title"] == "shop: Claude Code needs permission"
    assert "0123456789abcdef" not in received.json["body"]
    assert received.json["data"]["agent"] == "claude-code"
    assert received.json["data"]["trigger"] == "agents"
    assert report(one, "activity", key="t1")["status"] == "ignored"
    assert steps(one) == ["awaiting_answer", "queued", "answered_late"]
    wait_for(lambda: " delivered" in one.command("explain", "agents").stdout)
    text = one.command("explain", "agents").stdout
    assert "too late to withdraw the push (answered in the terminal)" in text


def test_what_was_asked_before_a_kill_and_answered_in_the_spool_is_not_pushed(start, platform):
    one = start("10m")
    report(one, "question", key="t1", text="Deploy?")
    one.kill()
    spool_request("agent", {"event": "answer", **AGENT, "key": "t1"})
    spool_request("agent", {"event": "failed", **AGENT, "cause": "billing", "time": 5})
    one.start()
    wait_for(lambda: platform.received)
    assert titles(platform) == ["shop: Claude Code stopped: billing problem"]
    assert steps(one)[:2] == ["awaiting_answer", "answered"]


def test_a_mute_holds_all_but_a_dead_agent_and_the_status_lists_sessions(start, platform):
    one = start("1s")
    assert one.command("mute", "agents", "1h").returncode == 0
    assert report(one, "done", text="Ready.")["reason"].startswith("muted;")
    assert report(one, "failed", cause="rate_limit")["status"] == "queued"
    wait_for(lambda: platform.received)
    assert titles(platform) == ["shop: Claude Code stopped: rate limit"]
    (session,) = one.ask("GET", "/v1/status")["agents"]["sessions"]
    assert (session["project"], session["state"]) == ("shop", "failed")
    assert "claude-code  shop     failed" in one.command("status").stdout


def test_what_a_hook_reports_without_a_daemon_is_pushed_when_one_starts(start, platform):
    one = start("10m")
    claude = {"session_id": "s1", "cwd": "/srv/shop", "prompt_id": "p1"}

    def hook(name, **fields):
        payload = json.dumps({**claude, "hook_event_name": name, **fields})
        return one.command("hook", "claude-code", payload, "--verbose").stderr

    assert "prompt: ignored, a turn began" in hook("UserPromptSubmit")
    asked = {"tool_name": "Bash", "tool_input": {"command": "make deploy"}}
    assert "question: waiting" in hook("PermissionRequest", **asked)
    one.kill()
    assert "failed: spooled" in hook("StopFailure", error="billing_error")
    one.start()
    wait_for(lambda: platform.received)
    assert titles(platform) == ["shop: Claude Code stopped: billing problem"]
    assert steps(one)[:2] == ["awaiting_answer", "answered"]
