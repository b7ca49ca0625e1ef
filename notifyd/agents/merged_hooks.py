"""Hooks between those of others, in a JSON file of an agent's settings."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

from notifyd.agents.hook_lines import HookFormat, Line, command_line
from notifyd.agents.installation import AgentHooks
from notifyd.agents.json_text import JsonPath, JsonText, format_document
from notifyd.agents.settings_file import AgentSettingsError, SettingsFile


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
            self._file.write(format_document(self._form.document(command)))
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
