"""Questions of coding agents: each waits for an answer in the terminal before it is pushed.

One push stands for further questions of its session that follow soon.
"""

from dataclasses import replace

from notifyd.model.agents import AGENTS, AgentAnswer, AgentEvent, AgentStatus, QuestionKind
from notifyd.model.notifications import Priority
from notifyd.shaping.agents.pushes import (
    ASKING,
    Incoming,
    duplicate_of,
    ignored,
    lasting_reason,
    push,
    trace,
    withdraw_push,
    withdrawn,
)
from notifyd.shaping.agents.session import (
    AgentSession,
    OpenQuestion,
    SessionState,
    add_question,
    find_same_question,
    join_question,
    note_answer,
    note_event,
    replace_question,
    restart_waits,
    stands_for,
    start_wait,
    take_answered,
    was_answered,
)
from notifyd.shaping.agents.text import question_message, question_title
from notifyd.shaping.group import NEVER
from notifyd.shaping.step_context import StepContext
from notifyd.shaping.trace import Action
from notifyd.text.durations import format_rough

QUESTION_LIFETIME = 600.0
"""Seconds after which a question that arrives is too old to be pushed."""
_SPOOL_WAIT = 5.0
"""Seconds that a question from the spool waits at least, for an answer in another file."""
_LATE = 5.0
"""Seconds after a deadline beyond which the daemon must have been unable to take answers."""
_SEEN_PRECISION = 3600.0
"""Seconds that `seen` may be behind, so that not every event is stored."""
_TOO_LATE = "answered after an attempt to push it"
_ANSWERED = "answered in the terminal"
_HOW_ANSWERED = {
    AgentEvent.DONE: "the turn ended",
    AgentEvent.FAILED: "the agent stopped",
    AgentEvent.ENDED: "the session ended",
}
"""How a question was settled, where not by an answer."""
_WHY_IDLE = {
    SessionState.BACKGROUND: "tasks or wake-ups are left in the background",
    SessionState.DONE: "the end of the turn was reported before",
    SessionState.FAILED: "the agent has stopped, which was reported before",
    SessionState.ENDED: "the session is over",
}
"""Why it is no news that an agent is idle, by the state of its session."""
_ANSWERS_ONE = frozenset({AgentEvent.ANSWER, AgentEvent.ACTIVITY})
"""Events that may be about one question; the others answer all."""


def receive_question(
    context: StepContext, incoming: Incoming, session: AgentSession
) -> tuple[AgentSession, AgentAnswer]:
    report, made = incoming.report, incoming.made
    if reason := _reason_not_to_ask(context, incoming, session):
        return session, ignored(reason)
    known = find_same_question(session, report, made)
    if known is not None:
        joined = join_question(known, report)
        if known.subagent and not joined.subagent:
            joined = start_wait(joined, _grace(context, incoming), context.now)
        session = replace_question(session, known, joined)
        if joined.deadline < NEVER:
            return session, _waiting(context, joined)
        asked_by_subagent = "a subagent asked it" if joined.subagent else ""
        return session, ignored(asked_by_subagent or "a push about it stands already")
    question = OpenQuestion(report.key, report.kind, report.text, made, made, NEVER)
    if report.subagent:
        # It is known, so that a report of the agent itself that follows is settled by its key.
        session = add_question(session, replace(question, subagent=True))
        return session, ignored("a subagent asked; only the agent's own questions are pushed")
    context.add_stats(AGENTS, matches=1, reason=ASKING)
    session = replace(note_event(session, report, made), state=SessionState.WORKING)
    if stands_for(session, made):
        session = add_question(session, question)
        return session, ignored("a push about an earlier question of the session stands already")
    question = start_wait(question, _grace(context, incoming), context.now)
    session = add_question(session, question)
    if question.deadline <= context.now.mono:
        return _push_questions(context, session, (question,))
    until = context.to_wall(question.deadline)
    trace(context, session, Action.AWAITING_ANSWER, report.text, until=until)
    return session, _waiting(context, question)


def _reason_not_to_ask(context: StepContext, incoming: Incoming, session: AgentSession) -> str:
    """Return why a question is not pushed, whatever follows; empty if it may be."""
    report, made = incoming.report, incoming.made
    if report.automatic:
        return "approved automatically; nobody has to answer"
    if was_answered(session, report, made):
        return f"{_ANSWERED} before the report arrived"
    age = context.now.mono - made
    if age > QUESTION_LIFETIME:
        return f"the report came {format_rough(age)} late"
    if report.kind is QuestionKind.IDLE and session.state is not SessionState.WORKING:
        return _WHY_IDLE[session.state]
    return duplicate_of(context, incoming)


def _grace(context: StepContext, incoming: Incoming) -> float:
    """Return for how many seconds a question waits for an answer."""
    grace = context.rules.agents.grace
    return max(grace, _SPOOL_WAIT) if incoming.spooled else grace


def _waiting(context: StepContext, question: OpenQuestion) -> AgentAnswer:
    wait = format_rough(max(0.0, question.deadline - context.now.mono))
    return AgentAnswer(AgentStatus.WAITING, f"pushed in {wait} unless it is answered before")


def receive_answer(
    context: StepContext, incoming: Incoming, session: AgentSession
) -> tuple[AgentSession, AgentAnswer]:
    key = incoming.report.key
    if incoming.report.subagent and not key:
        return session, ignored("a subagent reported it")
    had_questions = bool(session.questions)
    session, was_saved = settle(context, incoming, session)
    session = note_answer(session, key, incoming.made)
    if was_saved:
        return session, withdrawn(f"{_ANSWERED}; no push is needed")
    if had_questions:
        return session, ignored(f"{_TOO_LATE}, or another question is open")
    return session, ignored("no question was open")


def receive_activity(
    context: StepContext, incoming: Incoming, session: AgentSession | None
) -> AgentAnswer:
    """Take activity as an answer. Nearly always no question is open, and nothing is stored."""
    report = incoming.report
    if session is None:
        return ignored("no question was open")
    if report.subagent and not report.key:
        return ignored("a subagent reported it")
    before = session
    session, was_saved = settle(context, incoming, session)
    has_answered = session is not before
    if has_answered:
        session = note_answer(session, report.key, incoming.made)
    goes_on = session.state is not SessionState.WORKING and incoming.made >= session.turn_at
    if goes_on and not report.subagent:
        session = replace(session, state=SessionState.WORKING)
    if context.now.mono - session.seen > _SEEN_PRECISION or session is not before:
        context.put_agent_session(incoming.key, replace(session, seen=context.now.mono))
    if was_saved:
        return withdrawn(f"{_ANSWERED}; no push is needed")
    return ignored(_TOO_LATE if has_answered else "no question was open")


def settle(
    context: StepContext, incoming: Incoming, session: AgentSession
) -> tuple[AgentSession, bool]:
    """Close the questions that are answered; also returns whether that saved a push.

    What was not attempted yet is withdrawn.
    """
    before = session
    report = incoming.report
    if report.event not in _ANSWERS_ONE:
        report = replace(report, key="")
    session, answered = take_answered(session, report, incoming.made)
    if not answered:
        return before, False
    how = _HOW_ANSWERED.get(incoming.report.event, _ANSWERED)
    saved = False
    for question in answered:
        if question.deadline < NEVER:
            saved = True
            trace(context, session, Action.ANSWERED, question.text, detail=how)
            context.add_stats(AGENTS, reason=how)
    pushes = {each.notification_id: each for each in reversed(answered) if each.is_pushed}
    for notification_id, question in pushes.items():
        if all(each.notification_id != notification_id for each in session.questions):
            title = question_title(session, question)
            saved |= withdraw_push(context, session, notification_id, title, how)
    return _release_covered(context, session), saved


def _release_covered(context: StepContext, session: AgentSession) -> AgentSession:
    """Let questions for which an answered one stood wait for an answer of their own."""
    if stands_for(session, context.now.mono):
        return session
    grace = context.rules.agents.grace
    questions = (
        start_wait(each, grace, context.now) if each.is_waiting and each.deadline >= NEVER else each
        for each in session.questions
    )
    return replace(session, questions=tuple(questions))


def _push_questions(
    context: StepContext, session: AgentSession, due: tuple[OpenQuestion, ...]
) -> tuple[AgentSession, AgentAnswer]:
    """Push questions that nobody has answered, in one notification."""
    message = question_message(session, due)
    is_idle = due[0].kind is QuestionKind.IDLE
    priority = Priority.DEFAULT if is_idle else Priority.HIGH
    notification, answer = push(context, session, message, priority)
    for question in due:
        pushed = replace(
            question,
            deadline=NEVER,
            notification_id=notification.id,
            pushed_at=context.now.mono,
        )
        session = replace_question(session, question, pushed)
    return session, answer


def check_deadlines(context: StepContext) -> None:
    """Push the questions whose wait is over."""
    now = context.now.mono
    for key, session in context.agent_sessions():
        if session.deadline > now:
            continue
        if now - session.deadline > _LATE:  # answers may be queued that came in time
            grace = max(context.rules.agents.grace, _LATE)
            context.put_agent_session(key, restart_waits(session, grace, context.now))
            continue
        waiting = tuple(each for each in session.questions if each.deadline < NEVER)
        changed, answer = _push_questions(context, session, waiting)
        context.put_agent_session(key, replace(changed, reason=lasting_reason(answer)))
