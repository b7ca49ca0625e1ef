"""What a phone shows of a coding agent's session."""

from notifyd.model.agents import AgentEvent, AgentReport, QuestionKind
from notifyd.model.notifications import Json, Message
from notifyd.shaping.agents.session import AgentSession, OpenQuestion
from notifyd.text.durations import format_rough

_NAMES = {
    "aider": "Aider",
    "claude-code": "Claude Code",
    "codex": "Codex",
    "copilot-cli": "Copilot CLI",
    "cursor": "Cursor",
    "gemini-cli": "Gemini CLI",
    "goose": "Goose",
    "grok-build": "Grok Build",
    "kiro": "Kiro",
    "openhands": "OpenHands",
    "qwen-code": "Qwen Code",
}
"""Names that are written in another way than their identifiers."""

_WAITS = {
    QuestionKind.PERMISSION: "needs permission",
    QuestionKind.QUESTION: "has a question",
    QuestionKind.INPUT: "needs input",
    QuestionKind.IDLE: "waits for your next prompt",
}

_CAUSES = {
    "authentication": "authentication failed",
    "billing": "billing problem",
    "overloaded": "API overloaded",
    "output_limit": "output limit reached",
}
"""Causes that are written in another way than their words."""


def agent_name(agent: str) -> str:
    return _NAMES.get(agent, agent)


def question_title(session: AgentSession, question: OpenQuestion) -> str:
    return _title(session, _WAITS[question.kind])


def question_message(session: AgentSession, questions: tuple[OpenQuestion, ...]) -> Message:
    """Return the text about questions that are pushed together; the first one is shown."""
    first, more = questions[0], len(questions) - 1
    body = first.text
    if more:
        body = f"{body}\n\nand {more} more {'question' if more == 1 else 'questions'}".lstrip()
    data = _data(session, AgentEvent.QUESTION) | {"kind": first.kind.value}
    return Message(question_title(session, first), body, data)


def done_message(session: AgentSession, report: AgentReport, duration: float) -> Message:
    """Return the text about the end of a turn. duration: seconds; negative if unknown."""
    took = f" ({format_rough(duration)})" if duration >= 0 else ""
    return Message(_title(session, f"is done{took}"), report.text, _data(session, AgentEvent.DONE))


def failed_message(session: AgentSession, report: AgentReport) -> Message:
    """Return the text about an agent that cannot go on."""
    data = _data(session, AgentEvent.FAILED)
    if not report.cause:
        return Message(_title(session, "stopped with an error"), report.text, data)
    title = _title(session, f"stopped: {cause_words(report.cause)}")
    return Message(title, report.text, data | {"cause": report.cause})


def cause_words(cause: str) -> str:
    return _CAUSES.get(cause, cause.replace("_", " "))


def place_of(session: AgentSession) -> str:
    """Return the project's name, or else that of the directory; it may be empty."""
    return session.project or session.directory.rstrip("/").rpartition("/")[2]


def _title(session: AgentSession, what: str) -> str:
    place, name = place_of(session), agent_name(session.agent)
    return f"{place}: {name} {what}" if place else f"{name} {what}"


def _data(session: AgentSession, event: AgentEvent) -> Json:
    data: Json = {"agent": session.agent, "event": event.value, "session": session.id}
    return data | ({"project": session.project} if session.project else {})
