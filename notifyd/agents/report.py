"""What one call of a hook reports to the daemon: an event of an agent's session.

An agent waits for these imports at each of its hooks, so there are none.
"""

TYPE_CHECKING = False  # importing typing takes too long
if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_TEXT = 6_000
"""Characters of a text that are sent; the daemon keeps fewer."""
_LONGEST_ID = 128
"""Characters of ids that the daemon takes."""
_LONGEST_PROJECT = 64
_LONGEST_PATH = 1_000
_ELLIPSIS = "…"
_DETAILS = ("command", "cmd", "file_path", "filePath", "path", "url", "query", "pattern")
"""Entries of a tool's input that say what it is about to do, the most telling first."""
_QUESTIONS = ("question", "prompt", "message", "plan")
_OPTIONS = ("options", "choices")

ASKING_TOOLS = frozenset(
    {"askuserquestion", "ask_user", "ask_user_question", "askuser", "request_user_input"}
)
"""Tools by which an agent asks a person, in lower case. Their input holds the question."""

PLAN_TOOLS = frozenset({"exitplanmode", "exit_plan_mode"})
"""Tools by which an agent shows its plan for approval, in lower case."""

_CAUSES = (
    ("rate_limit", ("rate limit", "rate_limit", "ratelimit", "too many requests", "429")),
    ("billing", ("billing", "payment", "credit balance", "insufficient credit", "quota", "402")),
    ("overloaded", ("overloaded", "capacity", "529")),
    ("authentication", ("authenticat", "unauthorized", "api key", "logged in", "401", "oauth")),
    ("model_not_found", ("model not found", "model_not_found", "unknown model")),
    ("output_limit", ("max_output_tokens", "output limit", "outputlength", "max tokens")),
    ("server_error", ("server error", "server_error", "internal error", "500", "502", "503")),
)
"""The cause of a failure, and words of an error's text that show it."""


class HookReport:
    """One event. event: the last part of the path in `POST /v1/agents/EVENT`; body: its fields."""

    __slots__ = ("body", "event")

    def __init__(self, event: str, body: dict[str, object]) -> None:
        self.event = event
        self.body = body


class Session:
    """Whose session a payload is about; makes reports of it.

    agent: as in the local API, such as claude-code. turn: identifies the prompt. subagent: the
    event happened in a subagent.
    """

    __slots__ = ("agent", "directory", "id", "subagent", "turn")

    def __init__(
        self,
        agent: str,
        session_id: object,
        directory: object = "",
        turn: object = "",
        *,
        subagent: bool = False,
    ) -> None:
        self.agent = agent
        self.id = text_of(session_id)[:_LONGEST_ID]
        self.directory = text_of(directory)[:_LONGEST_PATH]
        self.turn = text_of(turn)[:_LONGEST_ID]
        self.subagent = subagent

    def report(self, event: str, **fields: object) -> HookReport:
        """Return a report with these fields of the local API; what is empty is left out."""
        body: dict[str, object] = {
            "agent": self.agent,
            "session": self.id or "unknown",
            "project": project_name(self.directory),
        }
        optional = {
            "directory": self.directory,
            "turn": self.turn,
            "subagent": self.subagent,
            **fields,
        }
        for name, value in optional.items():
            if value:
                longest = LONGEST_TEXT if name in ("text", "directory") else _LONGEST_ID
                body[name] = clip(value, longest) if isinstance(value, str) else value
        return HookReport(event, body)


def text_of(value: object) -> str:
    """Return text as it is, and nothing for anything else."""
    return value.strip() if isinstance(value, str) else ""


def first_text(payload: "Mapping[str, object]", *names: str) -> str:
    """Return the first of these entries that is a text with something in it."""
    return next((text for name in names if (text := text_of(payload.get(name)))), "")


def clip(text: str, longest: int) -> str:
    """Cut a text to so many characters, with an ellipsis at its end."""
    return text if len(text) <= longest else text[: longest - 1] + _ELLIPSIS


def project_name(directory: str) -> str:
    """Return the last part of a directory's path."""
    return directory.rstrip("/").rpartition("/")[2][:_LONGEST_PROJECT]


def mapping_of(value: object) -> dict[str, object]:
    """Return a JSON object, also one that is written as a text; {} for anything else."""
    if isinstance(value, str) and value.lstrip()[:1] == "{":
        import json  # noqa: PLC0415 - this module has no imports, and the caller has it already

        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def list_of(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def is_asking(tool: object) -> bool:
    """Return whether a tool asks a person a question."""
    return text_of(tool).lower() in ASKING_TOOLS


def question_text(tool_input: object) -> str:
    """Return the question in the input of a tool that asks, with the answers it offers."""
    given = mapping_of(tool_input)
    questions = [mapping_of(each) for each in list_of(given.get("questions"))[:8]] or [given]
    return "\n".join(filter(None, map(_one_question, questions)))


def _one_question(question: dict[str, object]) -> str:
    text = first_text(question, *_QUESTIONS)
    options = next((found for name in _OPTIONS if (found := list_of(question.get(name)))), [])
    labels = [
        label
        for option in options[:8]
        if (label := text_of(option) or first_text(mapping_of(option), "label", "value"))
    ]
    return f"{text} ({' / '.join(labels)})" if text and labels else text


def permission_text(tool: object, tool_input: object) -> str:
    """Return what a tool wants to do: "Bash: npm install" and the agent's own reason for it."""
    name, given = text_of(tool), mapping_of(tool_input)
    if name.lower() in PLAN_TOOLS:
        return "\n".join(filter(None, ["Approve the plan?", text_of(given.get("plan"))]))
    detail = first_text(given, *_DETAILS) or " ".join(
        each for each in list_of(given.get("command")) if isinstance(each, str)
    )
    reason = first_text(given, "description", "justification", "reason")
    what = f"{name}: {detail}" if name and detail else name or detail
    return "\n".join(filter(None, [what, reason]))


def cause_of(error: str) -> str:
    """Return the cause that the text of an error shows, as one word; empty if it shows none."""
    lowered = error.lower()
    return next((cause for cause, words in _CAUSES if any(word in lowered for word in words)), "")
