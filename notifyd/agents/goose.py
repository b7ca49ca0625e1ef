"""Payloads of Goose: they name the event `event`, and the directory only where a tool runs."""

from notifyd.agents.report import HookReport, Session, is_asking, text_of

AGENT = "goose"


def parse(payload: dict[str, object]) -> HookReport | str:
    """Return the report of a payload, or why there is none."""
    event = text_of(payload.get("event"))
    session = Session(AGENT, payload.get("session_id"), payload.get("working_dir"))
    if event == "UserPromptSubmit":
        return session.report("prompt")
    if event == "Stop":
        return session.report("done", text=text_of(payload.get("last_assistant_message")))
    if event in ("PostToolUse", "PostToolUseFailure"):
        answers = is_asking(payload.get("tool_name"))
        key = text_of(payload.get("tool_call_id"))
        return session.report("answer" if answers else "activity", key=key)
    if event == "SessionEnd":
        return session.report("ended")
    return f"{event or 'an event without a name'} is not reported"
