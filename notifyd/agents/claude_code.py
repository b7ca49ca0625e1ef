"""Payloads of Claude Code, and of agents that hand over the same fields (Qwen Code, Kiro, …)."""

from notifyd.agents.report import (
    HookReport,
    Session,
    cause_of,
    first_text,
    is_asking,
    list_of,
    permission_text,
    question_text,
    text_of,
)

_UNASKED = frozenset({"bypassPermissions", "dontAsk"})
"""Permission modes in which nobody is asked for a permission."""

_QUESTIONS = {
    "permission_prompt": "permission",
    "worker_permission_prompt": "permission",
    "idle_prompt": "idle",
    "elicitation_dialog": "input",
    "elicitation_url_dialog": "input",
    "agent_needs_input": "input",
}
"""What a notification of a type asks for."""

_ANSWERS = frozenset({"elicitation_response", "elicitation_complete"})

_CAUSES = {
    "authentication_failed": "authentication",
    "oauth_org_not_allowed": "authentication",
    "billing_error": "billing",
    "max_output_tokens": "output_limit",
    "unknown": "",
}
"""Errors of StopFailure that the local API names in another way."""

_TURN_ENDS = "only the end of a turn is reported, not that of a subagent"
_REASONS = {
    "subagentstop": _TURN_ENDS,
    "subagentstart": _TURN_ENDS,
    "pretooluse": "a tool that is about to run is not reported",
    "permissiondenied": "the agent decided by itself, nobody is asked",
    "sessionstart": "the start of a session is not reported",
}


def parse(payload: dict[str, object], agent: str = "claude-code") -> HookReport | str:
    """Return the report of a payload, or why there is none."""
    name = first_text(payload, "hook_event_name", "event")
    # Grok writes pre_tool_use and Kiro preToolUse for PreToolUse.
    event = name.replace("_", "").lower()
    session = Session(
        agent,
        payload.get("session_id"),
        first_text(payload, "cwd", "working_dir", "workspace_root"),
        first_text(payload, "prompt_id", "turn_id"),
        subagent=bool(payload.get("agent_id")),
    )
    if event == "userpromptsubmit":
        return session.report("prompt")
    if event == "notification":
        return _notification(session, payload)
    if event in ("permissionrequest", "pretooluse"):
        return _tool_begins(session, payload, is_permission=event == "permissionrequest")
    if event in ("posttooluse", "posttoolusefailure"):
        answers = is_asking(payload.get("tool_name"))
        key = text_of(payload.get("tool_use_id"))
        return session.report("answer" if answers else "activity", key=key)
    if event in ("elicitation", "elicitationresult"):
        key = text_of(payload.get("elicitation_id"))
        if event == "elicitationresult":
            return session.report("answer", key=key)
        text = text_of(payload.get("message"))
        return session.report("question", kind="input", key=key, text=text)
    if event == "stop":
        left = list_of(payload.get("background_tasks")) + list_of(payload.get("session_crons"))
        text = text_of(payload.get("last_assistant_message"))
        return session.report("done", text=text, background=len(left))
    if event == "stopfailure":
        return _failure(session, payload)
    if event == "sessionend":
        return session.report("ended")
    return _REASONS.get(event, f"{name or 'an event without a name'} is not reported")


def _notification(session: Session, payload: dict[str, object]) -> HookReport | str:
    message = text_of(payload.get("message"))
    kind = first_text(payload, "notification_type") or _guess_type(message)
    if kind in _ANSWERS:
        return session.report("answer")
    if kind not in _QUESTIONS:
        return f"a notification of the type {kind or 'unknown'} asks for nothing"
    return session.report("question", kind=_QUESTIONS[kind], text=message)


def _guess_type(message: str) -> str:
    """Return the type of a notification of versions that do not say it."""
    lowered = message.lower()
    if "permission" in lowered or "approval" in lowered:
        return "permission_prompt"
    return "idle_prompt" if "waiting for your input" in lowered else ""


def _tool_begins(
    session: Session, payload: dict[str, object], *, is_permission: bool
) -> HookReport | str:
    tool, given = payload.get("tool_name"), payload.get("tool_input")
    key = text_of(payload.get("tool_use_id"))
    if is_asking(tool):
        return session.report("question", kind="question", key=key, text=question_text(given))
    if not is_permission:
        return _REASONS["pretooluse"]
    return session.report(
        "question",
        kind="permission",
        key=key,
        text=permission_text(tool, given),
        automatic=text_of(payload.get("permission_mode")) in _UNASKED,
    )


def _failure(session: Session, payload: dict[str, object]) -> HookReport:
    error = text_of(payload.get("error"))
    text = first_text(payload, "error_details", "last_assistant_message", "error_message")
    cause = _CAUSES.get(error, error if error.replace("_", "").isalnum() else "")
    if not cause:
        cause = cause_of(f"{error} {text}")
    return session.report("failed", cause=cause, text=text or error)
