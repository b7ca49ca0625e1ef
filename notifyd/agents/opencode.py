"""Payloads of opencode: events as the plugin that `notifyd hook install opencode` writes gets them.

opencode 1 has them in `properties`, opencode 2 in `data`. The plugin adds `directory`, `subagent`
and, at the end of a turn, `text`.
"""

from notifyd.agents.report import (
    HookReport,
    Session,
    cause_of,
    first_text,
    list_of,
    mapping_of,
    question_text,
    text_of,
)

AGENT = "opencode"

_PROMPTS = frozenset({"chat.message", "session.execution.started"})
_ENDS = frozenset({"session.idle", "session.execution.succeeded"})
_ERRORS = frozenset({"session.error", "session.execution.failed"})
_QUESTIONS = frozenset({"question.asked", "form.created"})
_ANSWERS = (".replied", ".rejected", ".resolved", ".cancelled", ".submitted")
_ABORTED = "MessageAbortedError"


def parse(payload: dict[str, object]) -> HookReport | str:
    """Return the report of a payload, or why there is none."""
    event = text_of(payload.get("type"))
    fields = mapping_of(payload.get("properties")) or mapping_of(payload.get("data"))
    session = Session(
        AGENT,
        first_text(fields, "sessionID", "sessionId"),
        payload.get("directory"),
        subagent=payload.get("subagent") is True,
    )
    if event in _PROMPTS:
        return session.report("prompt")
    if event in _ENDS:
        return session.report("done", text=text_of(payload.get("text")))
    if event in _ERRORS:
        return _error(session, fields)
    if event == "session.execution.interrupted":
        if first_text(fields, "reason") not in ("", "user"):
            return "opencode interrupted the session and resumes it"
        return session.report("failed", cause="interrupted")
    if event in _QUESTIONS:
        text = question_text(fields) or first_text(fields, "title", "description")
        return session.report("question", kind="question", key=_key(fields), text=text)
    if event.startswith("permission") and event.endswith(".asked"):
        text = _permission(fields)
        return session.report("question", kind="permission", key=_key(fields), text=text)
    if event.startswith(("permission", "question", "form")) and event.endswith(_ANSWERS):
        return session.report("answer", key=_key(fields))
    if event == "session.deleted":
        return session.report("ended")
    return f"{event or 'an event without a name'} is not reported"


def _key(fields: dict[str, object]) -> str:
    return first_text(fields, "requestID", "permissionID", "formID", "id")


def _permission(fields: dict[str, object]) -> str:
    """Return what is asked for, such as "bash: npm install"."""
    what = first_text(fields, "permission", "action", "title", "type")
    metadata = mapping_of(fields.get("metadata"))
    patterns = list_of(fields.get("patterns")) or list_of(fields.get("resources"))
    detail = first_text(metadata, "command", "filepath", "filePath", "url") or ", ".join(
        each for each in patterns[:8] if isinstance(each, str)
    )
    return f"{what}: {detail}" if what and detail else what or detail


def _error(session: Session, fields: dict[str, object]) -> HookReport:
    error = mapping_of(fields.get("error"))
    name = first_text(error, "name", "type", "_tag")
    text = first_text(mapping_of(error.get("data")), "message") or first_text(error, "message")
    if name == _ABORTED:
        return session.report("failed", cause="interrupted")
    return session.report("failed", cause=cause_of(f"{name} {text}"), text=text or name)
