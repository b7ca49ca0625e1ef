"""The completion scripts, made by shtab from the parsers of all commands."""

import argparse
from importlib import import_module

import shtab

from notifyd.cli.argument_parser import ArgumentParser
from notifyd.cli.dispatch import COMMANDS

_NAMES = {
    ("", "TRIGGER"): "triggers",
    ("mute", "[TRIGGER] DURATION"): "triggers",
    ("ping", "NAME [SIGNAL] [OUTPUT ... | -]"): "heartbeats",
    ("cancel", "ID"): "unsent",
    ("retry", "ID"): "failed",
}
"""Which names the daemon completes, by command ("" is any) and metavar."""
_FILES = {"FILE": shtab.FILE, "PATH": shtab.FILE, "DIR": shtab.DIRECTORY}


def completion_script(shell: str) -> str:
    """Return the script for bash, zsh or fish."""
    root = ArgumentParser(prog="notifyd", allow_abbrev=False)
    root.add_argument("-V", "--version", action="store_true", help="print the version")
    root.add_argument("--debug", action="store_true", help="print tracebacks")
    commands = root.add_subparsers(metavar="COMMAND")
    for name, summary in COMMANDS.items():
        parser = commands.add_parser(name, help=summary)
        import_module(f"notifyd.cli.{name}").add_arguments(parser)
        _complete(name, parser)
    script: str = shtab.complete(root, shell)
    return script


def _complete(command: str, parser: argparse.ArgumentParser) -> None:
    """Say what completes the values of a parser's arguments."""
    actions = parser._actions  # noqa: SLF001 - argparse has no public list of them
    documented = {action.dest: action.help for action in actions if _is_documentation(action)}
    for action in actions:
        if isinstance(action.choices, dict):
            for each in action.choices.values():
                _complete(command, each)
        elif _is_documentation(action):
            action.help = argparse.SUPPRESS
        elif action.dest in documented:  # the option itself, which help does not show
            action.help = documented[action.dest]
            action.nargs = 0  # a value follows the equals sign
        elif completion := _completion(command, str(action.metavar)):
            action.complete = completion  # type: ignore[attr-defined]  # where shtab looks


def _is_documentation(action: argparse.Action) -> bool:
    """Return whether an option only documents another one, as --wait[=D] does."""
    return any("[" in flag for flag in action.option_strings)


def _completion(command: str, metavar: str) -> object:
    if kind := _NAMES.get((command, metavar)) or _NAMES.get(("", metavar)):
        return shtab.cmd(f"notifyd completion --names {kind}")
    return _FILES.get(metavar)
