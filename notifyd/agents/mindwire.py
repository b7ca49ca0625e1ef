"""Payloads of mindwire, which it gives to the program in NOTIFY_EXEC or writes to NOTIFY_FILE."""

from notifyd.agents.report import HookReport, Session, cause_of, first_text, text_of

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_LONGEST_ID = 32
_QUESTIONS = {
    "waiting_approval": "permission",
    "waiting_feedback": "question",
    "waiting_input": "input",
}


def parse(payload: dict[str, object]) -> HookReport | str:
    """Return the report of a payload, or why there is none."""
    condition = text_of(payload.get("condition"))
    session = Session(
        _agent(payload.get("agent")),
        first_text(payload, "chatId", "runId"),
        first_text(payload, "cwd", "directory"),
        payload.get("runId"),
    )
    text = first_text(payload, "body", "title")
    if condition == "finished":
        return session.report("done", text=text)
    if condition == "error":
        return session.report("failed", cause=cause_of(text), text=text)
    if condition in _QUESTIONS:
        return session.report("question", kind=_QUESTIONS[condition], text=text)
    return f"the condition {condition or 'without a name'} is not reported"


def _agent(name: object) -> str:
    """Return the name of the agent that runs, as an id."""
    letters = (letter if letter in _LETTERS else "-" for letter in text_of(name).lower())
    return "".join(letters).strip("-")[:_LONGEST_ID] or "mindwire"
