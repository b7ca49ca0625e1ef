"""The lines that an agent's settings need to call notifyd, and how they are recognized there."""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import NamedTuple

from notifyd.agents.json_text import JsonPath

_TIMEOUT = 5
"""Seconds after which an agent may end a hook. A report takes less than two."""
_OPERATORS = frozenset(";|&<>`$(\n")


class Line(NamedTuple):
    """A line of ours in the settings. path: to its object; words: of its command."""

    event: str
    path: JsonPath
    value: dict[str, object]
    words: tuple[str, ...]

    @property
    def program(self) -> str:
        """The path of the notifyd that the line runs, or of its interpreter."""
        return self.words[0]


class HookFormat(NamedTuple):
    """How an agent writes its hooks.

    events: for which ones, and what else their lines say. command_key: of the command. timeout:
    its key, and its value in the agent's unit. grouped: each line is in a group of its own, with
    the key `hooks`. head: entries at the top of a new file. extra: more entries of each line.
    """

    events: Mapping[str, Mapping[str, object]]
    command_key: str = "command"
    timeout: tuple[str, int] | None = ("timeout", _TIMEOUT)
    grouped: bool = True
    head: Mapping[str, object] = {}
    extra: Mapping[str, object] = {}

    def line(self, event: str, command: str) -> dict[str, object]:
        """Return the object that runs a command at an event."""
        value: dict[str, object] = {"type": "command"} if self.grouped or self.timeout else {}
        value |= {**self.extra, self.command_key: command}
        if self.timeout:
            value[self.timeout[0]] = self.timeout[1]
        return {**value, **self.events[event]}

    def entry(self, event: str, command: str) -> dict[str, object]:
        """Return the item that is appended to the array of an event."""
        line = self.line(event, command)
        return {"hooks": [line]} if self.grouped else line

    def document(self, command: str) -> dict[str, object]:
        """Return a whole file with nothing but our lines."""
        hooks = {event: [self.entry(event, command)] for event in self.events}
        return {**self.head, "hooks": hooks}

    def find(self, document: object) -> Iterator[Line]:
        """Yield our lines, in the order of the file."""
        hooks = document.get("hooks") if isinstance(document, dict) else None
        for event, entries in hooks.items() if isinstance(hooks, dict) else ():
            for index, entry in enumerate(entries if isinstance(entries, list) else ()):
                path: JsonPath = ("hooks", event, index)
                if self.grouped:
                    group = entry.get("hooks") if isinstance(entry, dict) else None
                    for place, value in enumerate(group if isinstance(group, list) else ()):
                        yield from _our_line(event, (*path, "hooks", place), value)
                else:
                    yield from _our_line(event, path, entry)


def command_line(program: str, agent: str) -> str:
    """Return the command of a line.

    One text for the shell, not a list: agents that know no lists, also those that read the
    settings of others, would run notifyd without its words, which exits with status 2.
    """
    return f"{shlex.quote(program)} hook {agent}"


def _our_line(event: str, path: JsonPath, value: object) -> Iterator[Line]:
    if not isinstance(value, dict):
        return
    command = next(
        (text for key in ("command", "bash", "exec") if isinstance(text := value.get(key), str)),
        "",
    )
    arguments = value.get("args")
    words = _split(command)
    if isinstance(arguments, list) and arguments:
        words = [command, *(each for each in arguments if isinstance(each, str))]
    if _is_ours(words):
        yield Line(event, path, value, tuple(words))


def _split(command: str) -> list[str]:
    """Return the words of a simple command; none if the shell would do more with it."""
    try:
        words = shlex.split(command)
    except ValueError:
        return []
    return [] if _OPERATORS.intersection(command) else words


def _is_ours(words: list[str]) -> bool:
    if words[1:3] == ["-m", "notifyd"]:
        words = words[2:]
    return words[1:2] == ["hook"] and PurePath(words[0]).name == "notifyd"


_QUIET: Mapping[str, object] = {}
_BACKGROUND: Mapping[str, object] = {"async": True}
_SHORT: Mapping[str, object] = {"timeout": 3}
"""The longest that Codex allows where it is about to leave."""

CLAUDE_CODE = HookFormat(
    {
        "UserPromptSubmit": _QUIET,
        "Notification": _QUIET,
        "PermissionRequest": _QUIET,
        "PostToolUse": _BACKGROUND,
        "PostToolUseFailure": _BACKGROUND,
        "Stop": _QUIET,
        "StopFailure": _QUIET,
        "SessionEnd": _QUIET,
    }
)

CODEX = HookFormat(
    {
        "UserPromptSubmit": _QUIET,
        "PermissionRequest": _QUIET,
        "PostToolUse": _QUIET,
        "Stop": _QUIET,
        "Interrupt": _SHORT,
        "SessionEnd": _SHORT,
    }
)

GEMINI_CLI = HookFormat(
    dict.fromkeys(("BeforeAgent", "Notification", "AfterTool", "AfterAgent", "SessionEnd"), _QUIET),
    timeout=("timeout", _TIMEOUT * 1000),
    extra={"name": "notifyd"},
)

# Versions of Qwen Code differ in the unit of the timeout; its default is long enough.
QWEN_CODE = HookFormat(
    {
        "UserPromptSubmit": _QUIET,
        "Notification": _QUIET,
        "PermissionRequest": _QUIET,
        "PostToolUse": _QUIET,
        "Stop": _QUIET,
        "SessionEnd": _QUIET,
    },
    timeout=None,
    extra={"name": "notifyd"},
)

COPILOT_CLI = HookFormat(
    dict.fromkeys(
        (
            "userPromptSubmitted",
            "notification",
            "postToolUse",
            "postToolUseFailure",
            "agentStop",
            "errorOccurred",
            "sessionEnd",
        ),
        _QUIET,
    ),
    command_key="bash",
    timeout=("timeoutSec", _TIMEOUT),
    grouped=False,
    head={"version": 1},
)

# One name that a version does not know disables the whole file, so only the oldest are used.
CURSOR = HookFormat(
    {"beforeSubmitPrompt": _QUIET, "stop": _QUIET},
    timeout=None,
    grouped=False,
    head={"version": 1},
)

GOOSE = HookFormat(dict.fromkeys(("UserPromptSubmit", "PostToolUse", "Stop", "SessionEnd"), _QUIET))

GROK_BUILD = HookFormat(
    dict.fromkeys(
        ("UserPromptSubmit", "Notification", "PostToolUse", "Stop", "StopFailure", "SessionEnd"),
        _QUIET,
    )
)
