"""Payloads of Cursor, also those of hooks that it reads from the settings of Claude Code."""

from notifyd.agents.report import (
    HookReport,
    Session,
    cause_of,
    first_text,
    is_asking,
    list_of,
    question_text,
    text_of,
)

AGENT = "cursor"

_ACTIVITY = frozenset(
    {
        "posttooluse",
        "posttoolusefailure",
        "aftershellexecution",
        "aftermcpexecution",
        "afterfileedit",
    }
)


def parse(payload: dict[str, object]) -> HookReport | str:
    """Return the report of a payload, or why there is none."""
    name = text_of(payload.get("hook_event_name"))
    event = name.lower()
    roots = [each for each in list_of(payload.get("workspace_roots")) if isinstance(each, str)]
    session = Session(
        AGENT,
        first_text(payload, "conversation_id", "session_id"),
        roots[0] if roots else payload.get("cwd"),
        payload.get("generation_id"),
    )
    if event in ("beforesubmitprompt", "userpromptsubmit"):
        return session.report("prompt")
    if event == "stop" or (not event and "status" in payload):
        return _stop(session, payload)
    tool, key = payload.get("tool_name"), text_of(payload.get("tool_use_id"))
    if event == "pretooluse" and is_asking(tool):
        text = question_text(payload.get("tool_input"))
        return session.report("question", kind="question", key=key, text=text)
    if event in _ACTIVITY:
        return session.report("answer" if is_asking(tool) else "activity", key=key)
    if event == "sessionend":
        return session.report("ended")
    return f"{name or 'an event without a name'} is not reported"


def _stop(session: Session, payload: dict[str, object]) -> HookReport | str:
    status = text_of(payload.get("status")) or "completed"
    text = first_text(payload, "error_message", "error", "last_assistant_message", "text")
    if status == "completed":
        return session.report("done", text=text)
    if status == "aborted":
        return session.report("failed", cause="interrupted")
    if status == "error":
        return session.report("failed", cause=cause_of(text), text=text)
    return f"a turn with the status {status} is not reported"
