"""The hooks of one agent: installing them, removing them, and looking what is there."""

import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from notifyd.agents.hook_lines import HookFormat, command_line
from notifyd.agents.json_text import format_document
from notifyd.agents.opencode_plugin import plugin_program, plugin_text
from notifyd.agents.settings_file import AgentSettingsError, SettingsFile


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
                problem = f"{gone} no longer exists; {install}"
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
        return format_document(self._form.document(command_line(program, self.agent)))

    def _is_foreign(self) -> bool:
        return SettingsFile(self.path).read() is not None and not self.programs()


def _loads(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
