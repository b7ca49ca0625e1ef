"""Payloads of coding agents: what each event of each agent reports. The table: tests/agents/."""

import pytest

from notifyd.agents.recognition import AGENTS, neutral_answer, parse_payload
from support.agent_payloads import cases

CASES = cases()


def outcome(payload, named):
    found = parse_payload(payload, named)
    return found if isinstance(found, str) else (found.event, found.body)


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("is_named", [True, False], ids=["named", "unnamed"])
def test_a_payload_becomes_this_report_or_none_for_this_reason(agent, is_named):
    mine = [case for case in CASES if case.agent == agent]
    found = {case.name: outcome(case.payload, agent if is_named else "") for case in mine}
    assert found == {case.name: case.reason or (case.event, case.body) for case in mine}


def test_every_agent_has_a_table():
    assert {case.agent for case in cases()} == set(AGENTS)


@pytest.mark.parametrize("agent", [each for each in AGENTS if each != "claude-code"])
def test_the_settings_that_an_agent_read_do_not_matter(agent):
    """Grok runs the hooks of Claude Code and Cursor, Cursor and Copilot those of Claude Code."""
    mine = [case for case in CASES if case.agent == agent]
    found = [outcome(case.payload, "claude-code") for case in mine]
    assert found == [case.reason or (case.event, case.body) for case in mine]


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"hook_event_name": 7},
        {"hook_event_name": "Stop", "session_id": ["x"], "background_tasks": "many"},
        {"hook_event_name": "PermissionRequest", "tool_name": {}, "tool_input": [1]},
        {"hook_event_name": "PermissionRequest", "tool_name": "AskUserQuestion"},
        {"hook_event_name": "PermissionRequest", "permission_mode": {"a": 1}},
        {"hook_event_name": ["Stop"]},
        {"hook_event_name": "Notification"},
        {"hook_event_name": "StopFailure", "error": {"a": 1}},
        {"hookEventName": None},
        {"type": None},
        {"event": 5},
        {"conversation_id": 5, "workspace_roots": "x", "status": []},
        {"condition": None},
        {"sessionId": {}, "toolName": 5, "toolArgs": "{"},
        {"sessionId": "x", "error": "x", "errorContext": 1},
        {"sessionId": "x", "notification_type": []},
    ],
)
def test_a_payload_of_other_types_is_no_error(payload):
    for named in ("", *AGENTS, "kiro"):
        found = parse_payload(payload, named)
        assert isinstance(found, str) or found.body["session"]
        neutral_answer(payload, named)


def test_texts_and_ids_are_bounded():
    payload = {
        "hook_event_name": "Stop",
        "session_id": "s" * 1000,
        "prompt_id": "p" * 1000,
        "cwd": "/" + "d" * 5000,
        "last_assistant_message": "x" * 1_000_000,
    }
    body = parse_payload(payload).body
    assert len(body["session"]) == len(body["turn"]) == 128
    assert len(body["directory"]) == 1000
    assert len(body["project"]) == 64
    assert len(body["text"]) == 6000


def test_an_agent_with_claudes_fields_only_needs_to_be_named():
    payload = {"hook_event_name": "preToolUse", "session_id": "1", "tool_name": "x"}
    assert "is not reported" in parse_payload(payload, "kiro")
    stop = parse_payload({"hook_event_name": "stop", "session_id": "1"}, "kiro")
    assert (stop.event, stop.body["agent"]) == ("done", "kiro")


def test_the_answer_is_what_the_agent_takes_for_none():
    found = {(case.agent, neutral_answer(case.payload, case.agent)) for case in CASES}
    assert found == {
        (agent, "{}\n" if agent in ("gemini-cli", "cursor") else "") for agent in AGENTS
    }
