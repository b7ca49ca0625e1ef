"""What status and `explain` show of the sessions of coding agents. Pure."""

from collections.abc import Iterable

from notifyd.model.agents import AGENTS
from notifyd.model.events import Now
from notifyd.model.notifications import Json
from notifyd.shaping.agents.session import AgentSession
from notifyd.shaping.agents.text import place_of
from notifyd.shaping.group import NEVER
from notifyd.shaping.state import State

_LISTED_SESSIONS = 20


def agents_part(state: State, trigger: str, now: Now) -> Json:
    """Return `{"sessions": …, "more_sessions": …}`; empty for another trigger than `agents`."""
    if trigger != AGENTS:
        return {}
    return describe_sessions(state.agent_sessions.values(), now)


def own_agents_part(state: State, uid: int, now: Now) -> Json:
    """Return the same of one user's sessions; empty if there are none."""
    own = [session for session in state.agent_sessions.values() if session.uid == uid]
    return {"agents": describe_sessions(own, now)} if own else {}


def describe_sessions(sessions: Iterable[AgentSession], now: Now) -> Json:
    """Describe the latest sessions: what each does, and what became of its last event."""
    latest = sorted(sessions, key=lambda session: -session.seen)
    return {
        "sessions": [_session(session, now) for session in latest[:_LISTED_SESSIONS]],
        "more_sessions": max(0, len(latest) - _LISTED_SESSIONS),
    }


def count_waiting_questions(state: State) -> int:
    """Count the questions that wait for an answer in the terminal before they are pushed."""
    return sum(
        question.deadline < NEVER
        for session in state.agent_sessions.values()
        for question in session.questions
    )


def _session(session: AgentSession, now: Now) -> Json:
    questions = sum(not question.subagent for question in session.questions)
    described: Json = {
        "agent": session.agent,
        "project": place_of(session),
        "session": session.id,
        "uid": session.uid,
        "state": "asking" if questions else session.state.value,
        "questions": questions,
        "last": now.wall + session.seen - now.mono,
        "reason": session.reason,
    }
    if session.deadline < NEVER:
        described["until"] = now.wall + session.deadline - now.mono
    return described
