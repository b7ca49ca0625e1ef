"""What a person gets of each event in tests/agents/: a push a minute later, or none and why."""

import pytest

from notifyd.agents.recognition import AGENTS
from notifyd.api.agent_reports import AgentReportBody
from notifyd.model.agents import AGENTS as TRIGGER
from notifyd.model.agents import AgentEvent
from notifyd.shaping.inputs import AgentReported
from notifyd.shaping.rules import Rules
from support.agent_payloads import cases
from support.histories import PEER, History

CASES = cases()


def report(history, event, body):
    found = AgentReportBody.model_validate(body).report(AgentEvent(event))
    return history.feed(AgentReported(found, PEER)).replies[0].agent


def outcome(case):
    """Report the event ten minutes after a prompt in its session."""
    history = History(Rules())
    history.sleep(60)
    report(history, "prompt", {"agent": case.body["agent"], "session": case.body["session"]})
    history.sleep(600)
    answer = report(history, case.event, case.body)
    history.sleep(60)
    pushed = [each for each in history.notifications.values() if each.trigger == TRIGGER]
    assert len(pushed) <= 1
    return f"push: {pushed[0].title}" if pushed else f"no push: {answer.reason}"


@pytest.mark.parametrize("agent", AGENTS)
def test_an_event_is_this_push_or_none_for_this_reason(agent):
    mine = [case for case in CASES if case.agent == agent and case.event]
    assert {case.name: outcome(case) for case in mine} == {case.name: case.push for case in mine}
