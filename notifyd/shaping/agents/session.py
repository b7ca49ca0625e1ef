"""One session of a coding agent: its turn, its open questions, and what was reported of it.

All times are seconds on the monotonic line.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from notifyd.model.agents import AgentEvent, AgentReport, QuestionKind
from notifyd.model.events import Now
from notifyd.shaping.group import NEVER

MOST_QUESTIONS = 8
"""Questions of one session that are known at once; the oldest is forgotten first."""
_MOST_ANSWERED = 16
"""Keys of answered questions that are remembered."""
_TEXT_COMPARED = 200
"""Characters of a text by which two agents' reports of one event are recognized."""
_SAME_QUESTION = 30.0
"""Seconds within which a report with a key and one without can be of the same question."""
_ONE_CONDITION = 60.0
"""Seconds after a push for which it stands for further questions of its session."""
SAME_EVENT = 10.0
"""Seconds within which two reports can be of the same event."""


class SessionState(StrEnum):
    """What a session does. The values are stored, and part of the local API."""

    WORKING = "working"
    BACKGROUND = "background"
    DONE = "done"
    FAILED = "failed"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """A question that nobody has answered yet.

    asked: when. waits_from: when the wait for an answer in the terminal began; -1 if it has to
    restart. deadline: when the question is pushed; NEVER if it was, or if a push about an earlier
    question of the session stands for it. notification_id: the push, made at pushed_at; empty if
    there was none. subagent: asked by a subagent, so it is never pushed by itself.
    """

    key: str
    kind: QuestionKind
    text: str
    asked: float
    waits_from: float
    deadline: float
    notification_id: str = ""
    pushed_at: float = 0.0
    subagent: bool = False

    @property
    def is_pushed(self) -> bool:
        return bool(self.notification_id)

    @property
    def is_waiting(self) -> bool:
        """Whether it may still be pushed: now, or once an earlier question is answered."""
        return not self.is_pushed and not self.subagent


@dataclass(frozen=True, slots=True)
class AgentSession:
    """The state of one session.

    uid: of the user whose hooks report it. seen: when it last reported something. prompted: when
    the present turn began; -1 if that is not known. turn: the id of the last turn. turn_at: when
    the last turn began or ended. answered_at: up to when all questions are answered.
    answered_keys: when questions with these keys were answered. failures: causes that
    were reported since the last prompt. done_id: the push about the end of the last turn.
    last_event, last_text, last_at: by which a second report of the same event is recognized.
    reason: what became of the last event, in words.
    """

    uid: int
    id: str
    agent: str
    project: str
    directory: str
    seen: float
    state: SessionState = SessionState.WORKING
    prompted: float = -1.0
    turn: str = ""
    turn_at: float = 0.0
    answered_at: float = 0.0
    answered_keys: Mapping[str, float] = field(default_factory=dict)
    questions: tuple[OpenQuestion, ...] = ()
    failures: tuple[str, ...] = ()
    done_id: str = ""
    last_event: AgentEvent | None = None
    last_text: str = ""
    last_at: float = 0.0
    reason: str = ""

    @property
    def deadline(self) -> float:
        """When the next question is pushed; NEVER if none waits."""
        return min((question.deadline for question in self.questions), default=NEVER)


def new_session(report: AgentReport, uid: int, now: Now) -> AgentSession:
    return AgentSession(
        uid, report.session, report.agent, report.project, report.directory, now.mono
    )


def forget_waits(session: AgentSession) -> AgentSession:
    """Return a session of an earlier process; its waits restart with the first rules."""
    waiting = (
        replace(question, waits_from=-1.0, deadline=NEVER)
        if question.deadline < NEVER
        else question
        for question in session.questions
    )
    return replace(session, questions=tuple(waiting))


def restart_waits(session: AgentSession, grace: float, now: Now) -> AgentSession:
    """Begin all waits for an answer now: no answer could arrive."""
    questions = (
        start_wait(question, grace, now) if question.deadline < NEVER else question
        for question in session.questions
    )
    return replace(session, questions=tuple(questions))


def apply_grace(session: AgentSession, grace: float, now: Now) -> AgentSession:
    """Adjust the waits to the rules of a start or a reload."""
    questions = (_with_grace(question, grace, now) for question in session.questions)
    return replace(session, questions=tuple(questions))


def _with_grace(question: OpenQuestion, grace: float, now: Now) -> OpenQuestion:
    if question.waits_from < 0:
        return start_wait(question, grace, now)
    if question.deadline < NEVER:
        return replace(question, deadline=question.waits_from + grace)
    return question


def start_wait(question: OpenQuestion, grace: float, now: Now) -> OpenQuestion:
    """Let a question wait from now on for an answer in the terminal."""
    return replace(question, waits_from=now.mono, deadline=now.mono + grace)


def find_same_question(
    session: AgentSession, report: AgentReport, made: float
) -> OpenQuestion | None:
    """Return the open question that a report is about.

    Agents report a question without its key, too, some seconds after the report with it, and that
    they are idle while it is open.
    """
    for question in reversed(session.questions):
        if report.key and report.key == question.key:
            return question
        if _is_same_question(question, report, made):
            return question
    return None


def _is_same_question(question: OpenQuestion, report: AgentReport, made: float) -> bool:
    if report.key and question.key:
        return False
    if QuestionKind.IDLE in (report.kind, question.kind):
        return True
    is_repeated = question.is_waiting and question.text == report.text
    return is_repeated or abs(made - question.asked) <= _SAME_QUESTION


def join_question(question: OpenQuestion, report: AgentReport) -> OpenQuestion:
    """Return a question with what a second report of it adds. One with a key says more."""
    is_better = bool(report.key) or question.kind is QuestionKind.IDLE
    return replace(
        question,
        key=question.key or report.key,
        kind=report.kind if is_better else question.kind,
        text=report.text if is_better and report.text else question.text or report.text,
        subagent=question.subagent and report.subagent,
    )


def stands_for(session: AgentSession, made: float) -> bool:
    """Whether a push about an earlier question stands for one that is asked at this time."""
    return any(
        each.is_pushed and made - each.pushed_at <= _ONE_CONDITION for each in session.questions
    )


def add_question(session: AgentSession, question: OpenQuestion) -> AgentSession:
    """Add a question. If there are too many, the oldest is forgotten, a subagent's first."""
    questions = [*session.questions, question]
    if len(questions) > MOST_QUESTIONS:
        questions.remove(next((each for each in questions if each.subagent), questions[0]))
    return replace(session, questions=tuple(questions))


def replace_question(
    session: AgentSession, question: OpenQuestion, new: OpenQuestion
) -> AgentSession:
    questions = (new if each is question else each for each in session.questions)
    return replace(session, questions=tuple(questions))


def take_answered(
    session: AgentSession, report: AgentReport, made: float
) -> tuple[AgentSession, tuple[OpenQuestion, ...]]:
    """Remove the questions that a report answers, and return them.

    A report without a key answers all that were asked by then. One with a key answers the question
    with it, and those without a key unless a subagent reports it: others may be at work beside it.
    """
    keys = {report.key} if report.subagent else {report.key, ""}
    answered = tuple(
        each
        for each in session.questions
        if each.asked <= made and (not report.key or each.key in keys)
    )
    left = tuple(each for each in session.questions if each not in answered)
    return replace(session, questions=left), answered


def note_answer(session: AgentSession, key: str, made: float) -> AgentSession:
    """Remember an answer, for a question that arrives later than it."""
    if not key:
        return replace(session, answered_at=max(session.answered_at, made))
    answered = {each: at for each, at in session.answered_keys.items() if each != key}
    kept = [*answered.items(), (key, made)][-_MOST_ANSWERED:]
    return replace(session, answered_keys=dict(kept))


def was_answered(session: AgentSession, report: AgentReport, made: float) -> bool:
    """Whether a question was answered after it was asked, before its report arrived."""
    answered_at = session.answered_keys.get(report.key, 0.0) if report.key else 0.0
    return made < max(session.answered_at, answered_at)


def note_event(session: AgentSession, report: AgentReport, made: float) -> AgentSession:
    """Remember what a push is about, to recognize a second report of the same event."""
    return replace(
        session,
        last_event=report.event,
        last_text=report.text[:_TEXT_COMPARED],
        last_at=made,
        turn=report.turn or session.turn,
    )


def is_same_event(session: AgentSession, report: AgentReport, made: float) -> bool:
    """Whether another session's last event is the one of this report.

    Agents that read each other's files report one event under two names.
    """
    if session.last_event is not report.event or abs(made - session.last_at) > SAME_EVENT:
        return False
    if not report.directory or report.directory != session.directory:
        return False
    same_turn = bool(report.turn) and report.turn == session.turn
    text = report.text[:_TEXT_COMPARED]
    return same_turn or (bool(text) and text == session.last_text)
