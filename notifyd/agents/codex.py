"""Payloads of Codex: those of its hooks, and that of its older setting `notify`."""

from notifyd.agents import claude_code
from notifyd.agents.report import HookReport, Session, first_text, text_of

AGENT = "codex"


def parse(payload: dict[str, object]) -> HookReport | str:
    """Return the report of a payload, or why there is none."""
    if "type" in payload and "hook_event_name" not in payload:
        return _notify(payload)
    if payload.get("hook_event_name") == "Interrupt":
        session = Session(
            AGENT, payload.get("session_id"), payload.get("cwd"), payload.get("turn_id")
        )
        return session.report("failed", cause="interrupted")
    return claude_code.parse(payload, AGENT)


def _notify(payload: dict[str, object]) -> HookReport | str:
    kind = text_of(payload.get("type"))
    if kind != "agent-turn-complete":
        return f"{kind or 'a notification without a type'} is not reported"
    session = Session(
        AGENT,
        first_text(payload, "thread-id", "session-id", "turn-id"),
        payload.get("cwd"),
        payload.get("turn-id"),
    )
    return session.report("done", text=text_of(payload.get("last-assistant-message")))
