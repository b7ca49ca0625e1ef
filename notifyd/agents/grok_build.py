"""Payloads of Grok Build: Claude Code's fields in camelCase.

Grok also runs the hooks of Claude Code and of Cursor, so one event may arrive up to three times.
All of them have the same session, turn and keys.
"""

from notifyd.agents import claude_code
from notifyd.agents.report import HookReport, Session, text_of

AGENT = "grok-build"

_INTERRUPTED = frozenset({"cancelled", "canceled", "interrupted", "aborted"})


def parse(payload: dict[str, object]) -> HookReport | str:
    """Return the report of a payload, or why there is none."""
    fields = {_snake_case(name): value for name, value in payload.items()}
    fields.setdefault("cwd", fields.get("workspace_root"))
    event = text_of(fields.get("hook_event_name")).lower()
    if event == "stop" and text_of(fields.get("reason")).lower() in _INTERRUPTED:
        session = Session(AGENT, fields.get("session_id"), fields.get("cwd"))
        return session.report("failed", cause="interrupted")
    return claude_code.parse(fields, AGENT)


def _snake_case(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
