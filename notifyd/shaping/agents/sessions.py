"""Sessions of coding agents: taking their events, and what becomes of them over time."""

from collections import Counter
from dataclasses import replace

from notifyd.model.agents import AgentAnswer, AgentEvent, AgentReport, AgentStatus
from notifyd.shaping.agents import session as one_session
from notifyd.shaping.agents.pushes import Incoming, ignored, lasting_reason, trace
from notifyd.shaping.agents.questions import receive_activity, receive_answer, receive_question
from notifyd.shaping.agents.session import AgentSession, SessionState, apply_grace, new_session
from notifyd.shaping.agents.turns import receive_done, receive_ended, receive_failed, receive_prompt
from notifyd.shaping.group import NEVER
from notifyd.shaping.inputs import AgentReported
from notifyd.shaping.state import Reply
from notifyd.shaping.step_context import StepContext
from notifyd.shaping.trace import Action

MOST_SESSIONS = 1000
"""Sessions that are known at once."""
_REMEMBERED = 86_400.0
"""Seconds after its last event for which a session is known."""
_BOOTED = "the machine was booted"
_TRACED = frozenset({AgentEvent.QUESTION, AgentEvent.DONE, AgentEvent.FAILED})
"""Events that are traced even if nothing comes of them."""


def session_key(uid: int, session: str) -> str:
    """Return the key of a session. Sessions of two users never meet."""
    return f"{uid}:{session}"


def receive(context: StepContext, reported: AgentReported, *, spooled: bool = False) -> Reply:
    """Take an event. spooled: it comes from a file, maybe long after it was made."""
    report, peer = reported.report, reported.peer
    wall = min(report.time or context.now.wall, context.now.wall)
    made = max(0.0, context.to_mono(wall))  # the line begins with the boot at first
    incoming = Incoming(report, peer, made, session_key(peer.uid, report.session), spooled)
    session = context.agent_session(incoming.key)
    if report.event is AgentEvent.ACTIVITY:
        return Reply(None, agent=receive_activity(context, incoming, session))
    session = _current(session or new_session(report, peer.uid, context.now), report)
    session, answer = _decide(context, incoming, replace(session, seen=context.now.mono))
    if answer.status is AgentStatus.IGNORED and report.event in _TRACED:
        trace(context, session, Action.IGNORED, report.text, detail=answer.reason)
    context.put_agent_session(incoming.key, replace(session, reason=lasting_reason(answer)))
    _drop_excess(context, incoming.key)
    return Reply(None, agent=answer)


def _current(session: AgentSession, report: AgentReport) -> AgentSession:
    """Return a session with what a report says of it.

    The first agent and project stay: an agent may change its directory.
    """
    return replace(
        session,
        project=session.project or report.project,
        directory=report.directory or session.directory,
    )


def _decide(
    context: StepContext, incoming: Incoming, session: AgentSession
) -> tuple[AgentSession, AgentAnswer]:
    report = incoming.report
    is_answer = report.event is AgentEvent.ANSWER
    if report.subagent and not is_answer and report.event is not AgentEvent.QUESTION:
        return session, ignored("a subagent reported it")
    match report.event:
        case AgentEvent.QUESTION:
            return receive_question(context, incoming, session)
        case AgentEvent.ANSWER:
            return receive_answer(context, incoming, session)
    if incoming.made < session.turn_at:
        return session, ignored("a later event of the session was received before")
    match report.event:
        case AgentEvent.PROMPT:
            return receive_prompt(context, incoming, session)
        case AgentEvent.DONE:
            return receive_done(context, incoming, session)
        case AgentEvent.FAILED:
            return receive_failed(context, incoming, session)
        case _:
            return receive_ended(context, incoming, session)


def apply_rules(context: StepContext) -> None:
    """Adjust waits to the rules of a start or a reload. At a start all of them begin now."""
    for key, session in context.agent_sessions():
        changed = apply_grace(session, context.rules.agents.grace, context.now)
        if changed != session:
            context.put_agent_session(key, changed)


def restart_waits(context: StepContext) -> None:
    """Restart all waits for an answer, because none could arrive."""
    for key, session in context.agent_sessions():
        if session.deadline < NEVER:
            changed = one_session.restart_waits(session, context.rules.agents.grace, context.now)
            context.put_agent_session(key, changed)


def end_local(context: StepContext) -> None:
    """End the sessions of this machine's users, because it was booted: no agent has survived.

    Clients of the TCP listener may run elsewhere.
    """
    for key, session in context.agent_sessions():
        if session.uid < 0 or session.state is SessionState.ENDED:
            continue
        for question in session.questions:
            if question.deadline < NEVER or question.waits_from < 0:
                trace(context, session, Action.ANSWERED, question.text, detail=_BOOTED)
        ended = replace(session, state=SessionState.ENDED, questions=(), reason=_BOOTED)
        context.put_agent_session(key, ended)


def prune(context: StepContext) -> None:
    """Forget sessions that have reported nothing for a day."""
    before = context.now.mono - _REMEMBERED
    for key, session in context.agent_sessions():
        if session.seen < before:
            context.put_agent_session(key, None)


def _drop_excess(context: StepContext, kept: str) -> None:
    """Forget the oldest session of the user with the most, if there are too many.

    One without open questions goes first. kept: the key of the one that has just reported.
    """
    sessions = context.agent_sessions()
    if len(sessions) <= MOST_SESSIONS:
        return
    (uid, _), *_ = Counter(session.uid for _, session in sessions).most_common(1)
    own = [(key, each) for key, each in sessions if each.uid == uid and key != kept]
    key, _ = min(own, key=lambda pair: (bool(pair[1].questions), pair[1].seen))
    context.put_agent_session(key, None)
