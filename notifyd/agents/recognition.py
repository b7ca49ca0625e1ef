"""Which agent a payload is from. Agents read each other's settings, so its fields decide.

The word in the settings counts only where the fields fit several agents.
"""

from importlib import import_module

from notifyd.agents.report import HookReport, text_of

AGENTS = (
    "claude-code",
    "codex",
    "gemini-cli",
    "copilot-cli",
    "cursor",
    "opencode",
    "goose",
    "grok-build",
    "qwen-code",
    "mindwire",
)
"""Agents whose payloads are known. Others that use Claude Code's fields need only be named."""

_ALIASES = {
    "claude": "claude-code",
    "gemini": "gemini-cli",
    "copilot": "copilot-cli",
    "grok": "grok-build",
    "qwen": "qwen-code",
    "cursor-agent": "cursor",
}
_JSON_WANTED = frozenset({"gemini-cli", "cursor"})
"""Agents that want a JSON object on stdout. To the others silence is the neutral answer."""
_LONGEST_ID = 32
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_PLACES = (("/.codex/", "codex"), ("/.gemini/", "gemini-cli"), ("/.qwen/", "qwen-code"))
"""Where agents keep their transcripts."""
_OF_GEMINI = frozenset({"BeforeAgent", "AfterAgent", "BeforeTool", "AfterTool", "PreCompress"})


def canonical_name(word: str) -> str:
    """Return the id of an agent that is named in a command line; empty if that cannot be one."""
    name = word.lower()
    name = _ALIASES.get(name, name)
    return name if name and len(name) <= _LONGEST_ID and _LETTERS.issuperset(name) else ""


def parse_payload(payload: dict[str, object], named: str = "") -> HookReport | str:
    """Return the report of a payload, or why there is none. named: the agent's id, if known."""
    agent = recognize(payload, named)
    if not agent:
        return "it is not from an agent that notifyd knows"
    if agent == "claude-code" or agent not in AGENTS or agent == "qwen-code":
        from notifyd.agents import claude_code  # noqa: PLC0415 - one of ten modules is needed

        return claude_code.parse(payload, agent)
    module = import_module(f"notifyd.agents.{agent.replace('-', '_')}")
    report: HookReport | str = module.parse(payload)
    return report


def recognize(payload: dict[str, object], named: str = "") -> str:
    """Return the id of the agent that a payload is from; empty if it is from none that is known."""
    if "condition" in payload and "hook_event_name" not in payload:
        return "mindwire"
    if "conversation_id" in payload or "cursor_version" in payload:
        return "cursor"
    if "hookEventName" in payload:
        return "grok-build"
    if "type" in payload and "hook_event_name" not in payload:
        return "codex" if "thread-id" in payload or "turn-id" in payload else "opencode"
    if "sessionId" in payload:
        return "grok-build" if named == "grok-build" else "copilot-cli"
    if "event" in payload and "hook_event_name" not in payload:
        return named if named and named not in AGENTS else "goose"
    if "hook_event_name" in payload:
        return _of_claude_shape(payload, named)
    return ""


def _of_claude_shape(payload: dict[str, object], named: str) -> str:
    if "turn_id" in payload:
        return "codex"
    transcript = text_of(payload.get("transcript_path"))
    for part, agent in _PLACES:
        if part in transcript:
            return agent
    if text_of(payload.get("hook_event_name")) in _OF_GEMINI:
        return "gemini-cli"
    if "timestamp" in payload and named in ("", "claude-code"):
        return "copilot-cli"  # which also reads the settings of Claude Code
    return named or "claude-code"


def neutral_answer(payload: dict[str, object], named: str = "") -> str:
    """Return what an agent wants on stdout that neither approves nor denies anything."""
    return "{}\n" if (recognize(payload, named) or named) in _JSON_WANTED else ""
