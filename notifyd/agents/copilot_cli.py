"""Payloads of GitHub Copilot CLI.

Under camelCase names of events the fields are camelCase and the event is not named, so the fields
tell which one it is. Under PascalCase names they are those of Claude Code.
"""

from notifyd.agents import claude_code
from notifyd.agents.report import (
    HookReport,
    Session,
    cause_of,
    first_text,
    is_asking,
    mapping_of,
    question_text,
    text_of,
)

AGENT = "copilot-cli"

_QUESTIONS = {"permission_prompt": "permission", "elicitation_dialog": "input"}
_BEFORE_ITS_RULES = "it comes before Copilot's own rules; its notification says whether it asks"


def parse(payload: dict[str, object]) -> HookReport | str:
    """Return the report of a payload, or why there is none."""
    session = Session(
        AGENT,
        first_text(payload, "sessionId", "session_id"),
        payload.get("cwd"),
        subagent=bool(first_text(payload, "agentName", "agentId", "agent_name", "agent_id")),
    )
    name = text_of(payload.get("hook_event_name"))
    if "notification_type" in payload:
        return _notification(session, payload)
    if "errorContext" in payload or "error_context" in payload:
        return _error(session, payload)
    if name == "PermissionRequest":
        return _BEFORE_ITS_RULES
    if name:
        return claude_code.parse(payload, AGENT)
    return _camel_case(session, payload)


def _camel_case(session: Session, payload: dict[str, object]) -> HookReport | str:
    if session.subagent:
        return "only the end of a turn is reported, not that of a subagent"
    if "toolName" in payload:
        return _tool(session, payload)
    if "transformedPrompt" in payload or "trigger" in payload:
        return "it is not reported"
    if "stopReason" in payload:
        return session.report("done")
    if "prompt" in payload:
        return session.report("prompt")
    if "reason" in payload:
        return session.report("ended")
    if "source" in payload:
        return "the start of a session is not reported"
    return "its fields show no event that is reported"


def _tool(session: Session, payload: dict[str, object]) -> HookReport | str:
    asks = is_asking(payload.get("toolName"))
    if "toolResult" in payload or "error" in payload:
        return session.report("answer" if asks else "activity")
    if asks:
        text = question_text(mapping_of(payload.get("toolArgs")))
        return session.report("question", kind="question", text=text)
    return _BEFORE_ITS_RULES


def _notification(session: Session, payload: dict[str, object]) -> HookReport | str:
    kind = text_of(payload.get("notification_type"))
    if kind not in _QUESTIONS:
        return f"a notification of the type {kind or 'unknown'} asks for nothing"
    text = first_text(payload, "message", "title")
    return session.report("question", kind=_QUESTIONS[kind], text=text)


def _error(session: Session, payload: dict[str, object]) -> HookReport | str:
    if payload.get("recoverable") is True:
        return "Copilot goes on after this error"
    where = first_text(payload, "errorContext", "error_context")
    if where == "tool_execution":
        return "an error of a tool does not stop the agent"
    error = mapping_of(payload.get("error"))
    text = first_text(error, "message", "name")
    return session.report(
        "failed", cause=cause_of(f"{text_of(error.get('name'))} {text}"), text=text
    )
