"""Where agents keep their settings, and which agents are on this machine."""

import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from notifyd.agents import hook_lines
from notifyd.agents.hook_lines import HookFormat
from notifyd.agents.installation import AgentHooks, HookStatus, OwnFiles
from notifyd.agents.json_text import format_document
from notifyd.agents.merged_hooks import CodexHooks, MergedHooks
from notifyd.agents.settings_file import AgentSettingsError

_COMMAND = "notifyd"
_PLUGIN_MANIFEST = {
    "name": "notifyd",
    "version": "1.0.0",
    "description": "Reports questions, ends of turns and failures to notifyd",
}


class _Place(NamedTuple):
    """Where an agent keeps its settings.

    folder: relative to the home. file: relative to the folder. project: relative to a project.
    programs: its executables. variable: the environment variable that moves the folder. sign: a
    folder that shows that the agent is there, if another one.
    """

    folder: str
    file: str
    project: str
    programs: tuple[str, ...]
    variable: str = ""
    sign: str = ""


_PLACES = {
    "claude-code": _Place(
        ".claude", "settings.json", ".claude/settings.local.json", ("claude",), "CLAUDE_CONFIG_DIR"
    ),
    "codex": _Place(".codex", "hooks.json", ".codex/hooks.json", ("codex",), "CODEX_HOME"),
    "gemini-cli": _Place(".gemini", "settings.json", ".gemini/settings.json", ("gemini",)),
    "copilot-cli": _Place(
        ".copilot", "hooks/notifyd.json", ".github/hooks/notifyd.json", ("copilot",), "COPILOT_HOME"
    ),
    "cursor": _Place(".cursor", "hooks.json", ".cursor/hooks.json", ("cursor-agent", "cursor")),
    "opencode": _Place(
        ".config/opencode",
        "plugins/notifyd.js",
        ".opencode/plugins/notifyd.js",
        ("opencode", "opencode2"),
        "OPENCODE_CONFIG_DIR",
    ),
    "goose": _Place(
        ".agents",
        "plugins/notifyd/hooks/hooks.json",
        ".agents/plugins/notifyd/hooks/hooks.json",
        ("goose",),
        sign=".config/goose",
    ),
    "grok-build": _Place(
        ".grok", "hooks/notifyd.json", ".grok/hooks/notifyd.json", ("grok",), "GROK_HOME"
    ),
    "qwen-code": _Place(".qwen", "settings.json", ".qwen/settings.json", ("qwen",)),
}

_CONFIG = ".config/"
INSTALLABLE = tuple(_PLACES)
"""Agents into whose settings notifyd writes its lines."""

_RESTART = "Sessions that run already use the hooks after a restart."
_NOTES = {
    "codex": "Codex skips new hooks silently: start it, type /hooks and trust those of notifyd.",
    "cursor": "Cursor has no hook for questions, so only ends of turns and failures are reported.",
    "opencode": _RESTART,
    "goose": "Hooks need Goose 1.38 or newer. It has none for questions.",
}


class AgentPlaces:
    """Finds the settings of agents: below a home directory, or in a project.

    environ: variables that move them, and PATH.
    """

    def __init__(self, home: Path, environ: Mapping[str, str], project: Path | None = None) -> None:
        self._home, self._environ, self._project = home, environ, project

    def is_present(self, agent: str) -> bool:
        """Return whether an agent is on this machine: its settings, or its program."""
        path = self._environ.get("PATH", os.defpath)
        place = _PLACES[agent]
        has_program = any(shutil.which(program, path=path) for program in place.programs)
        return has_program or self._folder(place.sign or place.folder, place).is_dir()

    def hooks(self, agent: str) -> AgentHooks:
        """Return the hooks of an agent, one of INSTALLABLE."""
        place = _PLACES[agent]
        if self._project is None:
            path = self._folder(place.folder, place) / place.file
        else:
            path = self._project / place.project
        note = _NOTES.get(agent, "")
        if agent == "codex":
            return CodexHooks(agent, path, hook_lines.CODEX, note)
        if agent in _MERGED:
            return MergedHooks(agent, path, _MERGED[agent], note)
        if agent == "goose":
            manifest = {path.parent.parent / "plugin.json": format_document(_PLUGIN_MANIFEST)}
            return OwnFiles(agent, path, hook_lines.GOOSE, note, manifest)
        return OwnFiles(agent, path, _OWN[agent], note)

    def _folder(self, folder: str, place: _Place) -> Path:
        if place.variable and (moved := self._environ.get(place.variable)):
            return Path(moved).absolute()
        config = self._environ.get("XDG_CONFIG_HOME", "")
        if folder.startswith(_CONFIG) and config.startswith("/"):
            return Path(config) / folder.removeprefix(_CONFIG)
        return self._home / folder


_MERGED = {
    "claude-code": hook_lines.CLAUDE_CODE,
    "gemini-cli": hook_lines.GEMINI_CLI,
    "cursor": hook_lines.CURSOR,
    "qwen-code": hook_lines.QWEN_CODE,
}
_OWN: dict[str, HookFormat | None] = {
    "copilot-cli": hook_lines.COPILOT_CLI,
    "grok-build": hook_lines.GROK_BUILD,
    "opencode": None,
}


def hook_statuses(places: AgentPlaces, program: str) -> list[HookStatus]:
    """Return the status of each agent's hooks. program: the path of this notifyd."""
    return [
        places.hooks(agent).status(program, is_present=places.is_present(agent))
        for agent in INSTALLABLE
    ]


def own_program() -> str:
    """Return the path of this notifyd, as it was called: a link to it outlives an upgrade."""
    called = sys.argv[0]
    if os.path.basename(called) == _COMMAND:  # noqa: PTH119 - a text, and maybe no path
        found = called if "/" in called else shutil.which(called)
        if found and os.access(found, os.X_OK):
            return str(Path(found).absolute())
    for folder in (sysconfig.get_path("scripts"), f"{sys.prefix}/bin"):
        if os.access(path := f"{folder}/{_COMMAND}", os.X_OK):
            return path
    raise AgentSettingsError(
        f"there is no {_COMMAND} command that an agent could call; install notifyd with pip or pipx"
    )
