"""Installing hooks into the settings of agents, removing them, and looking what is there."""

import json
import os
import shutil
import sys
import sysconfig
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from notifyd.agents import hook_lines
from notifyd.agents.hook_lines import HookFormat, Line, command_line
from notifyd.agents.json_text import JsonPath, JsonText
from notifyd.agents.opencode_plugin import plugin_program, plugin_text
from notifyd.agents.settings_file import AgentSettingsError, SettingsFile

_COMMAND = "notifyd"
_PLUGIN_MANIFEST = {
    "name": "notifyd",
    "version": "1.0.0",
    "description": "Reports questions, ends of turns and failures to notifyd",
}


class HookState(StrEnum):
    """What the settings of an agent say. INCOMPLETE: lines are missing, old or of other ways."""

    INSTALLED = "installed"
    INCOMPLETE = "incomplete"
    MISSING = "not installed"
    UNREADABLE = "unreadable"


class HookStatus(NamedTuple):
    """file: with the settings. is_present: the agent is on this machine. problem: a sentence.

    is_broken: there are lines, and they report nothing.
    """

    agent: str
    file: Path
    state: HookState
    is_present: bool
    problem: str = ""
    is_broken: bool = False


class AgentHooks(ABC):
    """The hooks of one agent. note: what a person still has to do after the installation."""

    def __init__(self, agent: str, path: Path, note: str = "") -> None:
        self.agent = agent
        self.path = path
        self.note = note

    @abstractmethod
    def install(self, program: str) -> bool:
        """Write the lines; return whether anything changed. AgentSettingsError if it cannot."""

    @abstractmethod
    def uninstall(self) -> bool:
        """Remove all lines that call any notifyd; return whether anything changed."""

    @abstractmethod
    def programs(self) -> list[str]:
        """Return the programs that the lines call, one per line."""

    @abstractmethod
    def is_current(self, program: str) -> bool:
        """Return whether an installation would change nothing."""

    def problem(self) -> str:
        """Return why lines that are installed do not work, in one sentence; empty if they may."""
        return ""

    def status(self, program: str, *, is_present: bool) -> HookStatus:
        """Look what is there. program: the path of this notifyd."""

        def found(state: HookState, problem: str = "", *, is_broken: bool = False) -> HookStatus:
            return HookStatus(self.agent, self.path, state, is_present, problem, is_broken)

        install = f"run `notifyd hook install {self.agent}`"
        try:
            programs = self.programs()
            if not programs:
                return found(HookState.MISSING)
            if gone := next((each for each in programs if not _is_executable(each)), ""):
                problem = f"{gone} does not exist any more; {install}"
                return found(HookState.INCOMPLETE, problem, is_broken=True)
            if not self.is_current(program):
                other = next((each for each in programs if each != program), "")
                what = f"it calls {other}" if other else "some lines are missing or old"
                return found(HookState.INCOMPLETE, f"{what}; {install} to change that")
            problem = self.problem()
            return found(HookState.INSTALLED, problem, is_broken=bool(problem))
        except AgentSettingsError as error:
            return found(HookState.UNREADABLE, str(error))


def _is_executable(program: str) -> bool:
    return shutil.which(program) is not None


class MergedHooks(AgentHooks):
    """Lines between those of others, in a JSON file. Everything else in it stays as it is."""

    def __init__(self, agent: str, path: Path, form: HookFormat, note: str = "") -> None:
        super().__init__(agent, path, note)
        self._form = form
        self._file = SettingsFile(path)

    def install(self, program: str) -> bool:
        command = command_line(program, self.agent)
        text = self._file.read()
        if text is None or not text.strip():
            self._file.write(_pretty(self._form.document(command)))
            return True
        document = self._parse(text)
        self._correct_lines(document, command)
        _append_lines(document, self._form, command)
        return self._store(text, document)

    def uninstall(self) -> bool:
        text = self._file.read()
        if text is None or not text.strip():
            return False
        document = self._parse(text)
        _remove_lines(document, list(self._form.find(document.value)))
        return self._store(text, document)

    def programs(self) -> list[str]:
        return [line.program for line in self._lines()]

    def is_current(self, program: str) -> bool:
        command = command_line(program, self.agent)
        lines = self._lines()
        expected = {event: self._form.line(event, command) for event in self._form.events}
        return len(lines) == len(expected) and all(
            line.value == expected.get(line.event) for line in lines
        )

    def problem(self) -> str:
        document = self._document()
        settings = document if isinstance(document, dict) else {}
        if settings.get("disableAllHooks") is True:
            return f"disableAllHooks in {self.path} turns all hooks off; remove it"
        config = settings.get("hooksConfig")
        if isinstance(config, dict) and config.get("enabled") is False:
            return f"hooksConfig.enabled in {self.path} turns all hooks off; set it to true"
        return ""

    def _lines(self) -> list[Line]:
        return list(self._form.find(self._document()))

    def _document(self) -> object:
        text = self._file.read()
        return self._parse(text).value if text and text.strip() else {}

    def _correct_lines(self, document: JsonText, command: str) -> None:
        """Correct the first of our lines of each event where it stands; remove all others."""
        kept: dict[str, Line] = {}
        surplus = []
        for line in self._form.find(document.value):
            if line.event in self._form.events and line.event not in kept:
                kept[line.event] = line
            else:
                surplus.append(line)
        for event, line in kept.items():
            wanted = self._form.line(event, command)
            if line.value != wanted:
                document.replace(line.path, wanted)
        _remove_lines(document, surplus)

    def _parse(self, text: str) -> JsonText:
        fix = "correct it or add the lines by hand (docs/agents.md); nothing was changed"
        try:
            document = JsonText(text)
        except ValueError as error:
            place = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "it"
            what = "comments or trailing commas" if _has_comments(text) else "a mistake"
            raise AgentSettingsError(
                f"{self.path} is not plain JSON ({what} near {place}): {fix}"
            ) from None
        hooks = document.value.get("hooks", {}) if isinstance(document.value, dict) else None
        if not isinstance(hooks, dict) or not all(
            isinstance(each, list) for each in hooks.values()
        ):
            raise AgentSettingsError(f"{self.path}: `hooks` has an unknown form; {fix}")
        return document

    def _store(self, before: str, document: JsonText) -> bool:
        if document.text == before:
            return False
        self._file.write(document.text)
        return True


def _has_comments(text: str) -> bool:
    return "//" in text or "/*" in text


def _remove_lines(document: JsonText, lines: list[Line]) -> None:
    """Remove lines, and the groups, events and hooks that are empty then."""
    for line in reversed(lines):
        path = line.path
        document.remove(path)
        while len(path) > 1 and not _value_at(document.value, path[:-1]):
            path = path[:-1]
            if path[-1] == "hooks" and len(path) > 1:
                path = path[:-1]  # a group without lines goes, whatever else it says
            document.remove(path)


def _value_at(value: object, path: JsonPath) -> object:
    for key in path:
        value = value[key]  # type: ignore[index]  # the path was found in this value
    return value


def _append_lines(document: JsonText, form: HookFormat, command: str) -> None:
    """Append the lines that are missing."""
    for key, value in form.head.items():
        if isinstance(document.value, dict) and key not in document.value:
            document.append((), value, key)
    there = {line.event for line in form.find(document.value)}
    for event in form.events:
        if event in there:
            continue
        hooks = document.value.get("hooks") if isinstance(document.value, dict) else None
        if not isinstance(hooks, dict):
            document.append((), {event: [form.entry(event, command)]}, "hooks")
        elif event not in hooks:
            document.append(("hooks",), [form.entry(event, command)], event)
        else:
            document.append(("hooks", event), form.entry(event, command))


class CodexHooks(MergedHooks):
    """The hooks of Codex, which it skips silently until a person has trusted them."""

    def problem(self) -> str:
        config = self._config()
        features = config.get("features")
        if isinstance(features, dict) and features.get("hooks") is False:
            return f"features.hooks in {self._config_path} turns hooks off; remove it"
        hooks = config.get("hooks")
        states = hooks.get("state") if isinstance(hooks, dict) else None
        trusted = states if isinstance(states, dict) else {}
        for line in self._lines():
            _, event, group, _, place = line.path
            key = f"{self.path}:{_snake_case(str(event))}:{group}:{place}"
            state = trusted.get(key)
            if not isinstance(state, dict) or not state.get("trusted_hash"):
                return "Codex does not run them yet; type /hooks in Codex and trust them"
        return ""

    @property
    def _config_path(self) -> Path:
        return self.path.with_name("config.toml")

    def _config(self) -> Mapping[str, object]:
        try:
            return tomllib.loads(SettingsFile(self._config_path).read() or "")
        except tomllib.TOMLDecodeError as error:
            raise AgentSettingsError(f"{self._config_path} is not TOML: {error}") from None


def _snake_case(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


class OwnFiles(AgentHooks):
    """Files of nothing but ours. others: their names beside the first, and what they hold."""

    def __init__(
        self,
        agent: str,
        path: Path,
        form: HookFormat | None,
        note: str = "",
        others: Mapping[Path, str] | None = None,
    ) -> None:
        super().__init__(agent, path, note)
        self._form = form
        self._others = dict(others or {})

    def install(self, program: str) -> bool:
        if self._is_foreign():
            raise AgentSettingsError(
                f"{self.path} was not written by notifyd; rename it, nothing was changed"
            )
        wanted = {self.path: self._text(program), **self._others}
        changed = [file for file, text in wanted.items() if SettingsFile(file).read() != text]
        for file in changed:
            SettingsFile(file).write(wanted[file], keeps_backup=False)
        return bool(changed)

    def uninstall(self) -> bool:
        if SettingsFile(self.path).read() is None:
            return False
        if self._is_foreign():
            raise AgentSettingsError(f"{self.path} was not written by notifyd; nothing was changed")
        for file in (self.path, *self._others):
            if SettingsFile(file).read() is not None:
                SettingsFile(file).delete()
        return True

    def programs(self) -> list[str]:
        text = SettingsFile(self.path).read() or ""
        if self._form is None:
            return [program] if (program := plugin_program(text)) else []
        return [line.program for line in self._form.find(_loads(text))]

    def is_current(self, program: str) -> bool:
        wanted = {self.path: self._text(program), **self._others}
        return all(SettingsFile(file).read() == text for file, text in wanted.items())

    def _text(self, program: str) -> str:
        if self._form is None:
            return plugin_text(program)
        return _pretty(self._form.document(command_line(program, self.agent)))

    def _is_foreign(self) -> bool:
        return SettingsFile(self.path).read() is not None and not self.programs()


def _pretty(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def _loads(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


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
            manifest = {path.parent.parent / "plugin.json": _pretty(_PLUGIN_MANIFEST)}
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
