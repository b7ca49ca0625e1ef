"""Payloads of Gemini CLI."""

from notifyd.agents.report import (
    HookReport,
    Session,
    first_text,
    is_asking,
    mapping_of,
    permission_text,
    question_text,
    text_of,
)

AGENT = "gemini-cli"

EVENTS = frozenset(
    {
        "BeforeAgent",
        "AfterAgent",
        "BeforeModel",
        "AfterModel",
        "BeforeToolSelection",
        "BeforeTool",
        "AfterTool",
        "PreCompress",
    }
)
"""Events that no other agent has."""


def parse(payload: dict[str, object]) -> HookReport | str:
    """Return the report of a payload, or why there is none."""
    event = text_of(payload.get("hook_event_name"))
    session = Session(AGENT, payload.get("session_id"), payload.get("cwd"))
    tool = payload.get("tool_name")
    if event == "BeforeAgent":
        return session.report("prompt")
    if event == "AfterAgent":
        return session.report("done", text=text_of(payload.get("prompt_response")))
    if event == "Notification":
        return _notification(session, payload)
    if event == "BeforeTool" and is_asking(tool):
        text = question_text(payload.get("tool_input"))
        return session.report("question", kind="question", text=text)
    if event == "AfterTool":
        return session.report("answer" if is_asking(tool) else "activity")
    if event == "SessionEnd":
        return session.report("ended")
    return f"{event or 'an event without a name'} is not reported"


def _notification(session: Session, payload: dict[str, object]) -> HookReport | str:
    kind = text_of(payload.get("notification_type"))
    if kind != "ToolPermission":
        return f"a notification of the type {kind or 'unknown'} asks for nothing"
    details = mapping_of(payload.get("details"))
    if text_of(details.get("type")) == "ask_user":
        return session.report("question", kind="question", text=question_text(details))
    tool = first_text(details, "title", "toolDisplayName", "toolName", "type")
    text = permission_text(tool, details) or text_of(payload.get("message"))
    return session.report("question", kind="permission", text=text)
