"""Coding agents: what their hooks report."""

from dataclasses import dataclass
from enum import StrEnum

AGENTS = "agents"
"""The trigger name of what coding agents report."""

LONGEST_ID = 128
"""Characters of the ids of sessions, turns and questions."""
TEXT_KEPT = 1500
"""Characters of an agent's text that are kept and shown."""


class AgentEvent(StrEnum):
    """What happened in an agent's session. The values are stored, and part of the local API.

    PROMPT: a person submitted a prompt, and a turn begins. QUESTION: the agent waits for a person.
    ANSWER: a question was answered or withdrawn in the terminal. DONE: a turn ended. FAILED: the
    agent cannot go on. ENDED: the session is over. ACTIVITY: the agent works on.
    """

    PROMPT = "prompt"
    QUESTION = "question"
    ANSWER = "answer"
    DONE = "done"
    FAILED = "failed"
    ENDED = "ended"
    ACTIVITY = "activity"


class QuestionKind(StrEnum):
    """What an agent waits for. The values are stored, and part of the local API.

    IDLE: the next prompt, after a turn has ended.
    """

    PERMISSION = "permission"
    QUESTION = "question"
    INPUT = "input"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class AgentReport:
    """One event of a session, as a hook reports it.

    text: the question, the last message or the error. cause: why the agent failed, as one word.
    turn: identifies the prompt. key: identifies the question or the use of a tool. background:
    background tasks and scheduled wake-ups that are left. automatic: nobody is asked, because the
    question was approved by a rule. time: wall-clock time at which the hook ran; 0 for now.
    """

    event: AgentEvent
    agent: str
    session: str
    project: str = ""
    directory: str = ""
    text: str = ""
    kind: QuestionKind = QuestionKind.QUESTION
    cause: str = ""
    turn: str = ""
    key: str = ""
    background: int = 0
    subagent: bool = False
    automatic: bool = False
    time: float = 0.0


class AgentStatus(StrEnum):
    """What became of an event. The values are part of the local API."""

    WAITING = "waiting"
    QUEUED = "queued"
    IGNORED = "ignored"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class AgentAnswer:
    """What became of an event, and why, in one sentence without a full stop."""

    status: AgentStatus
    reason: str
