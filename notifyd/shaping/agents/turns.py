"""Turns of coding agents: they begin with a prompt, and end or fail."""

from dataclasses import replace

from notifyd.model.agents import AGENTS, AgentAnswer
from notifyd.model.notifications import Priority
from notifyd.shaping.agents.pushes import (
    Incoming,
    duplicate_of,
    ignored,
    not_pushed,
    push,
    withdraw_push,
    withdrawn,
)
from notifyd.shaping.agents.questions import settle
from notifyd.shaping.agents.session import SAME_EVENT, AgentSession, SessionState, note_event
from notifyd.shaping.agents.text import agent_name, cause_words, done_message, failed_message
from notifyd.shaping.step_context import StepContext
from notifyd.text.durations import format_rough

_INTERRUPTED = "interrupted"
"""The cause of a turn that a person has ended."""
_MOST_FAILURES = 8
"""Causes that are remembered until the next prompt."""


def receive_prompt(
    context: StepContext, incoming: Incoming, session: AgentSession
) -> tuple[AgentSession, AgentAnswer]:
    session, was_saved = settle(context, incoming, session)
    if session.done_id:
        done = context.notification(session.done_id)
        if done is not None and not done.was_attempted:
            how = "a new prompt was submitted"
            was_saved |= withdraw_push(context, session, done.id, done.title, how)
    session = replace(
        session,
        state=SessionState.WORKING,
        prompted=incoming.made,
        turn=incoming.report.turn,
        turn_at=incoming.made,
        answered_at=incoming.made,
        failures=(),
        done_id="",
    )
    if was_saved:
        return session, withdrawn("a new prompt answers what was open; no push is needed")
    return session, ignored("a turn began")


def receive_done(
    context: StepContext, incoming: Incoming, session: AgentSession
) -> tuple[AgentSession, AgentAnswer]:
    report, made = incoming.report, incoming.made
    context.add_stats(AGENTS, matches=1)
    if reason := _reason_for_second_end(context, incoming, session):
        return session, not_pushed(context, reason)
    session, _ = settle(context, incoming, session)
    if report.background:
        session = replace(
            _end_turn(session, incoming, SessionState.BACKGROUND), prompted=session.prompted
        )
        left = "1 task or wake-up is" if report.background == 1 else None
        left = left or f"{report.background} tasks or wake-ups are"
        return session, not_pushed(context, f"{left} left in the background")
    duration = made - session.prompted if session.prompted >= 0 else -1.0
    session = note_event(_end_turn(session, incoming, SessionState.DONE), report, made)
    least = context.rules.agents.min_duration
    if 0 <= duration < least:
        took, limit = format_rough(duration), format_rough(least)
        return session, not_pushed(
            context, f"the turn took {took}, less than min_duration ({limit})"
        )
    message = done_message(session, report, duration)
    notification, answer = push(context, session, message, Priority.DEFAULT, incoming)
    return replace(session, done_id=notification.id), answer


def _reason_for_second_end(context: StepContext, incoming: Incoming, session: AgentSession) -> str:
    """Return why the end of a turn is one that was reported before; empty if it is not."""
    report = incoming.report
    is_repeated = incoming.made - session.turn_at <= SAME_EVENT
    if session.state in (SessionState.DONE, SessionState.FAILED):
        same_turn = bool(report.turn) and report.turn == session.turn
        if same_turn or is_repeated:
            return "the end of this turn was reported before"
    # An agent that reads another one's settings may know nothing of its background tasks.
    if session.state is SessionState.BACKGROUND and report.agent != session.agent and is_repeated:
        return f"{agent_name(session.agent)} has reported the same event"
    return duplicate_of(context, incoming)


def receive_failed(
    context: StepContext, incoming: Incoming, session: AgentSession
) -> tuple[AgentSession, AgentAnswer]:
    report = incoming.report
    session, was_saved = settle(context, incoming, session)
    if report.cause == _INTERRUPTED:
        session = _end_turn(session, incoming, SessionState.DONE)
        session = note_event(session, report, incoming.made)
        if was_saved:
            return session, withdrawn("interrupted by a person; no push is needed")
        return session, ignored("interrupted by a person")
    context.add_stats(AGENTS, matches=1)
    session = _end_turn(session, incoming, SessionState.FAILED)
    if report.cause in session.failures:
        cause = cause_words(report.cause) or "an error"
        return session, not_pushed(context, f"{cause} was reported since the last prompt")
    if reason := duplicate_of(context, incoming):
        return session, not_pushed(context, reason)
    session = note_event(session, report, incoming.made)
    failures = (*session.failures, report.cause)[-_MOST_FAILURES:]
    session = replace(session, failures=failures)
    message = failed_message(session, report)
    _, answer = push(context, session, message, Priority.URGENT, incoming)
    return session, answer


def _end_turn(session: AgentSession, incoming: Incoming, state: SessionState) -> AgentSession:
    return replace(
        session,
        state=state,
        prompted=-1.0,
        turn_at=incoming.made,
        answered_at=incoming.made,
    )


def receive_ended(
    context: StepContext, incoming: Incoming, session: AgentSession
) -> tuple[AgentSession, AgentAnswer]:
    session, was_saved = settle(context, incoming, session)
    session = _end_turn(session, incoming, SessionState.ENDED)
    if was_saved:
        return session, withdrawn("the session ended; its question was withdrawn")
    return session, ignored("the session ended")
