"""Sessions of coding agents: which of their events become notifications.

A question waits for an answer in the terminal before it is pushed, and one push stands for all
that a session asks until it is answered. Ends of turns and failures are pushed at once.
"""

from collections import Counter
from dataclasses import dataclass, replace

from notifyd.model.agents import (
    AGENTS,
    AgentAnswer,
    AgentEvent,
    AgentReport,
    AgentStatus,
    QuestionKind,
)
from notifyd.model.notifications import Message, Notification, Peer, Priority, Status
from notifyd.shaping.admission import admit, new_notification
from notifyd.shaping.agent_session import (
    SAME_EVENT,
    AgentSession,
    OpenQuestion,
    SessionState,
    add_question,
    apply_grace,
    find_same_question,
    is_same_event,
    join_question,
    new_session,
    note_answer,
    note_event,
    replace_question,
    stands_for,
    start_wait,
    take_answered,
    was_answered,
)
from notifyd.shaping.agent_session import restart_waits as restarted_waits
from notifyd.shaping.agent_text import (
    agent_name,
    cause_words,
    done_message,
    failed_message,
    place_of,
    question_message,
    question_title,
)
from notifyd.shaping.group import NEVER
from notifyd.shaping.inputs import AgentReported
from notifyd.shaping.mutes import hold_back, mute_digest, retract_match
from notifyd.shaping.requests import withdraw
from notifyd.shaping.state import Reply
from notifyd.shaping.step_context import StepContext
from notifyd.shaping.trace import Action
from notifyd.text.durations import format_rough

MOST_SESSIONS = 1000
"""Sessions that are known at once."""
_REMEMBERED = 86_400.0
"""Seconds after its last event for which a session is known."""
QUESTION_LIFETIME = 600.0
"""Seconds after which a question that arrives is too old to be pushed."""
_SPOOL_WAIT = 5.0
"""Seconds that a question from the spool waits at least, for an answer in another file."""
_LATE = 5.0
"""Seconds after a deadline beyond which the daemon must have been unable to take answers."""
_SEEN_PRECISION = 3600.0
"""Seconds that `seen` may be behind, so that not every event is stored."""
_INTERRUPTED = "interrupted"
_BOOTED = "the machine was booted"

_TOO_LATE = "answered after an attempt to push it"
_ASKING = "waiting for an answer in the terminal"
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
_TRACED = frozenset({AgentEvent.QUESTION, AgentEvent.DONE, AgentEvent.FAILED})
"""Events that are traced even if nothing comes of them."""


@dataclass(frozen=True, slots=True)
class _Incoming:
    """An event on its way in. made: monotonic time at which the hook ran. key: of its session."""

    report: AgentReport
    peer: Peer
    made: float
    key: str
    spooled: bool


def session_key(uid: int, session: str) -> str:
    """Return the key of a session. Sessions of two users never meet."""
    return f"{uid}:{session}"


def receive(context: StepContext, reported: AgentReported, *, spooled: bool = False) -> Reply:
    """Take an event. spooled: it comes from a file, maybe long after it was made."""
    report, peer = reported.report, reported.peer
    wall = min(report.time or context.now.wall, context.now.wall)
    made = max(0.0, context.to_mono(wall))  # the line begins with the boot at first
    incoming = _Incoming(report, peer, made, session_key(peer.uid, report.session), spooled)
    session = context.agent_session(incoming.key)
    if report.event is AgentEvent.ACTIVITY:
        return Reply(None, agent=_receive_activity(context, incoming, session))
    session = _current(session or new_session(report, peer.uid, context.now), report)
    session, answer = _decide(context, incoming, replace(session, seen=context.now.mono))
    if answer.status is AgentStatus.IGNORED and report.event in _TRACED:
        _trace(context, session, Action.IGNORED, report.text, detail=answer.reason)
    context.put_agent_session(incoming.key, replace(session, reason=_lasting_reason(answer)))
    _drop_excess(context, incoming.key)
    return Reply(None, agent=answer)


def _current(session: AgentSession, report: AgentReport) -> AgentSession:
    """Return a session with the names of a report. The first agent that reported it stays."""
    return replace(
        session,
        project=report.project or session.project,
        directory=report.directory or session.directory,
    )


def _decide(
    context: StepContext, incoming: _Incoming, session: AgentSession
) -> tuple[AgentSession, AgentAnswer]:
    report = incoming.report
    is_answer = report.event is AgentEvent.ANSWER
    if report.subagent and not is_answer and report.event is not AgentEvent.QUESTION:
        return session, _ignored("a subagent reported it")
    match report.event:
        case AgentEvent.QUESTION:
            return _receive_question(context, incoming, session)
        case AgentEvent.ANSWER:
            return _receive_answer(context, incoming, session)
    if incoming.made < session.turn_at:
        return session, _ignored("a later event of the session was received before")
    match report.event:
        case AgentEvent.PROMPT:
            return _receive_prompt(context, incoming, session)
        case AgentEvent.DONE:
            return _receive_done(context, incoming, session)
        case AgentEvent.FAILED:
            return _receive_failed(context, incoming, session)
        case _:
            session, withdrawn = _settle(context, incoming, session)
            session = _end_turn(session, incoming, SessionState.ENDED)
            if withdrawn:
                return session, _withdrawn("the session ended; its question was withdrawn")
            return session, _ignored("the session ended")


# --- questions


def _receive_question(
    context: StepContext, incoming: _Incoming, session: AgentSession
) -> tuple[AgentSession, AgentAnswer]:
    report, made = incoming.report, incoming.made
    if reason := _reason_not_to_ask(context, incoming, session):
        return session, _ignored(reason)
    known = find_same_question(session, report, made)
    if known is not None:
        joined = join_question(known, report)
        if known.subagent and not joined.subagent:
            joined = start_wait(joined, _grace(context, incoming), context.now)
        session = replace_question(session, known, joined)
        if joined.deadline < NEVER:
            return session, _waiting(context, joined)
        return session, _ignored("a push about it stands already")
    question = OpenQuestion(report.key, report.kind, report.text, made, made, NEVER)
    if report.subagent:
        # It is known, so that a report of the agent itself that follows is settled by its key.
        session = add_question(session, replace(question, subagent=True))
        return session, _ignored("a subagent asked; only the agent's own questions are pushed")
    context.add_stats(AGENTS, matches=1, reason=_ASKING)
    session = replace(note_event(session, report, made), state=SessionState.WORKING)
    if stands_for(session, made):
        session = add_question(session, question)
        return session, _ignored("a push about an earlier question of the session stands already")
    question = start_wait(question, _grace(context, incoming), context.now)
    session = add_question(session, question)
    if question.deadline <= context.now.mono:
        return _push_questions(context, session, (question,))
    until = context.to_wall(question.deadline)
    _trace(context, session, Action.AWAITING_ANSWER, report.text, until=until)
    return session, _waiting(context, question)


def _reason_not_to_ask(context: StepContext, incoming: _Incoming, session: AgentSession) -> str:
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
    return _duplicate_of(context, incoming)


def _grace(context: StepContext, incoming: _Incoming) -> float:
    """Return for how many seconds a question waits for an answer."""
    grace = context.rules.agents.grace
    return max(grace, _SPOOL_WAIT) if incoming.spooled else grace


def _receive_answer(
    context: StepContext, incoming: _Incoming, session: AgentSession
) -> tuple[AgentSession, AgentAnswer]:
    key = incoming.report.key
    if incoming.report.subagent and not key:
        return session, _ignored("a subagent reported it")
    had_questions = bool(session.questions)
    session, withdrawn = _settle(context, incoming, session)
    session = note_answer(session, key, incoming.made)
    if withdrawn:
        return session, _withdrawn(f"{_ANSWERED}; no push is needed")
    if had_questions:
        return session, _ignored(f"{_TOO_LATE}, or another question is open")
    return session, _ignored("no question was open")


def _receive_activity(
    context: StepContext, incoming: _Incoming, session: AgentSession | None
) -> AgentAnswer:
    """Take activity as an answer. Nearly always no question is open, and nothing is stored."""
    report = incoming.report
    if session is None:
        return _ignored("no question was open")
    if report.subagent and not report.key:
        return _ignored("a subagent reported it")
    before = session
    session, withdrawn = _settle(context, incoming, session)
    has_answered = session is not before
    if has_answered:
        session = note_answer(session, report.key, incoming.made)
    goes_on = session.state is not SessionState.WORKING and incoming.made >= session.turn_at
    if goes_on and not report.subagent:
        session = replace(session, state=SessionState.WORKING)
    if context.now.mono - session.seen > _SEEN_PRECISION or session is not before:
        context.put_agent_session(incoming.key, replace(session, seen=context.now.mono))
    if withdrawn:
        return _withdrawn(f"{_ANSWERED}; no push is needed")
    return _ignored(_TOO_LATE if has_answered else "no question was open")


def _settle(
    context: StepContext, incoming: _Incoming, session: AgentSession
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
            _trace(context, session, Action.ANSWERED, question.text, detail=how)
            context.add_stats(AGENTS, reason=how)
    pushes = {each.notification_id: each for each in reversed(answered) if each.is_pushed}
    for notification_id, question in pushes.items():
        if all(each.notification_id != notification_id for each in session.questions):
            title = question_title(session, question)
            saved |= _withdraw_push(context, session, notification_id, title, how)
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


def _withdraw_push(
    context: StepContext, session: AgentSession, notification_id: str, title: str, how: str
) -> bool:
    """Withdraw a push that was not attempted yet; False if it is too late for that."""
    notification = context.notification(notification_id)
    if notification is None:
        saved = _retract_muted(context, title)
    elif saved := not notification.was_attempted:
        withdraw(context, notification, Status.CANCELLED)
    action = Action.WITHDRAWN if saved else Action.ANSWERED_LATE
    if saved:
        context.add_stats(AGENTS, reason=how)
    _trace(context, session, action, title, notification_id=notification_id, detail=how)
    return saved


def _retract_muted(context: StepContext, title: str) -> bool:
    """Take a question back from the digest of a mute; False if it is not in there."""
    pending = mute_digest(context, AGENTS)
    if pending is None or pending.queued or title not in pending.digest.lines:
        return False
    retract_match(context, AGENTS, title)
    return True


def _push_questions(
    context: StepContext, session: AgentSession, due: tuple[OpenQuestion, ...]
) -> tuple[AgentSession, AgentAnswer]:
    """Push questions that nobody has answered, in one notification."""
    message = question_message(session, due)
    is_idle = due[0].kind is QuestionKind.IDLE
    priority = Priority.DEFAULT if is_idle else Priority.HIGH
    notification, answer = _push(context, session, message, priority)
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
            context.put_agent_session(key, restarted_waits(session, grace, context.now))
            continue
        waiting = tuple(each for each in session.questions if each.deadline < NEVER)
        changed, answer = _push_questions(context, session, waiting)
        context.put_agent_session(key, replace(changed, reason=_lasting_reason(answer)))


# --- turns


def _receive_prompt(
    context: StepContext, incoming: _Incoming, session: AgentSession
) -> tuple[AgentSession, AgentAnswer]:
    session, withdrawn = _settle(context, incoming, session)
    if session.done_id:
        done = context.notification(session.done_id)
        if done is not None and not done.was_attempted:
            how = "a new prompt was submitted"
            withdrawn |= _withdraw_push(context, session, done.id, done.title, how)
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
    if withdrawn:
        return session, _withdrawn("a new prompt answers what was open; no push is needed")
    return session, _ignored("a turn began")


def _receive_done(
    context: StepContext, incoming: _Incoming, session: AgentSession
) -> tuple[AgentSession, AgentAnswer]:
    report, made = incoming.report, incoming.made
    context.add_stats(AGENTS, matches=1)
    if reason := _reason_for_second_end(context, incoming, session):
        return session, _not_pushed(context, reason)
    session, _ = _settle(context, incoming, session)
    if report.background:
        session = replace(
            _end_turn(session, incoming, SessionState.BACKGROUND), prompted=session.prompted
        )
        left = "1 task or wake-up is" if report.background == 1 else None
        left = left or f"{report.background} tasks or wake-ups are"
        return session, _not_pushed(context, f"{left} left in the background")
    duration = made - session.prompted if session.prompted >= 0 else -1.0
    session = note_event(_end_turn(session, incoming, SessionState.DONE), report, made)
    least = context.rules.agents.min_duration
    if 0 <= duration < least:
        took, limit = format_rough(duration), format_rough(least)
        return session, _not_pushed(
            context, f"the turn took {took}, less than min_duration ({limit})"
        )
    message = done_message(session, report, duration)
    notification, answer = _push(context, session, message, Priority.DEFAULT, incoming)
    return replace(session, done_id=notification.id), answer


def _reason_for_second_end(context: StepContext, incoming: _Incoming, session: AgentSession) -> str:
    """Return why the end of a turn is one that was reported before; empty if it is not."""
    report = incoming.report
    if session.state is SessionState.DONE:
        same_turn = bool(report.turn) and report.turn == session.turn
        if same_turn or incoming.made - session.last_at <= SAME_EVENT:
            return "the end of this turn was reported before"
    return _duplicate_of(context, incoming)


def _receive_failed(
    context: StepContext, incoming: _Incoming, session: AgentSession
) -> tuple[AgentSession, AgentAnswer]:
    report = incoming.report
    session, withdrawn = _settle(context, incoming, session)
    if report.cause == _INTERRUPTED:
        session = _end_turn(session, incoming, SessionState.DONE)
        if withdrawn:
            return session, _withdrawn("interrupted by a person; no push is needed")
        return session, _ignored("interrupted by a person")
    context.add_stats(AGENTS, matches=1)
    session = _end_turn(session, incoming, SessionState.FAILED)
    if report.cause in session.failures:
        cause = cause_words(report.cause) or "an error"
        return session, _not_pushed(context, f"{cause} was reported since the last prompt")
    if reason := _duplicate_of(context, incoming):
        return session, _not_pushed(context, reason)
    session = note_event(session, report, incoming.made)
    session = replace(session, failures=(*session.failures, report.cause))
    message = failed_message(session, report)
    _, answer = _push(context, session, message, Priority.URGENT, incoming)
    return session, answer


def _end_turn(session: AgentSession, incoming: _Incoming, state: SessionState) -> AgentSession:
    return replace(
        session,
        state=state,
        prompted=-1.0,
        turn_at=incoming.made,
        answered_at=incoming.made,
    )


def _duplicate_of(context: StepContext, incoming: _Incoming) -> str:
    """Return which other session has reported the same event; empty if none has."""
    for key, other in context.agent_sessions():
        if key == incoming.key or other.uid != incoming.peer.uid:
            continue
        if is_same_event(other, incoming.report, incoming.made):
            return f"{agent_name(other.agent)} has reported the same event"
    return ""


# --- pushes and traces


def _push(
    context: StepContext,
    session: AgentSession,
    message: Message,
    priority: Priority,
    incoming: _Incoming | None = None,
) -> tuple[Notification, AgentAnswer]:
    """Queue a notification unless a mute or the budget holds it back.

    incoming: the event that it reports; none for a question that has waited.
    """
    peer = incoming.peer if incoming else Peer(session.uid, -1, -1)
    notification = replace(
        new_notification(context, AGENTS, priority, 1), peer=peer, title=message.title
    )
    if incoming:
        age = context.now.mono - incoming.made
        notification = replace(notification, created=context.now.wall - age)
    if muted := hold_back(context, notification, message):
        reason = "muted; counted in one digest when the mute ends"
        return muted, AgentAnswer(AgentStatus.QUEUED, reason)
    admitted = admit(context, notification, message)
    if admitted.status is Status.MERGED:
        reason = "over the budget, or no room; counted in the next digest"
        return admitted, AgentAnswer(AgentStatus.QUEUED, reason)
    return admitted, AgentAnswer(AgentStatus.QUEUED, f"pushed as {message.title!r}")


def _lasting_reason(answer: AgentAnswer) -> str:
    """Return a reason that stays true while time passes."""
    return _ASKING if answer.status is AgentStatus.WAITING else answer.reason


def _not_pushed(context: StepContext, reason: str) -> AgentAnswer:
    context.add_stats(AGENTS, reason=reason)
    return _ignored(reason)


def _ignored(reason: str) -> AgentAnswer:
    return AgentAnswer(AgentStatus.IGNORED, reason)


def _withdrawn(reason: str) -> AgentAnswer:
    return AgentAnswer(AgentStatus.WITHDRAWN, reason)


def _waiting(context: StepContext, question: OpenQuestion) -> AgentAnswer:
    wait = format_rough(max(0.0, question.deadline - context.now.mono))
    return AgentAnswer(AgentStatus.WAITING, f"pushed in {wait} unless it is answered before")


def _trace(
    context: StepContext,
    session: AgentSession,
    action: Action,
    line: str,
    *,
    until: float = 0.0,
    notification_id: str = "",
    detail: str = "",
) -> None:
    group = tuple(filter(None, (place_of(session), agent_name(session.agent))))
    context.trace(
        AGENTS,
        action,
        1,
        line=line,
        group=group,
        until=until,
        notification_id=notification_id,
        detail=detail,
    )


# --- the life of sessions


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
            changed = restarted_waits(session, context.rules.agents.grace, context.now)
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
                _trace(context, session, Action.ANSWERED, question.text, detail=_BOOTED)
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
