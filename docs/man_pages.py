"""The man pages, made from the parsers of the commands: `make docs` writes them.

notifyd(1) lists the commands; notifyd-COMMAND(1) is one command. The markup is that of man(7).
"""

import argparse
import os
from importlib import import_module

from notifyd import __version__
from notifyd.cli import COMMANDS
from notifyd.cli.argument_parser import build_parser

_HEADINGS = {"positional arguments": "ARGUMENTS"}
_FILES = """\
.SH FILES
.TP
.I ~/.config/notifyd/config.toml\\fR, \\fI/etc/notifyd/config.toml
Configuration of a daemon of a user, and of the system.
.TP
.I ~/.local/state/notifyd/notifyd.sock\\fR, \\fI/run/notifyd/notifyd.sock
Socket of the daemon.
"""


def man_pages() -> dict[str, str]:
    """Return each page by the name of its file."""
    os.environ["COLUMNS"] = "78"  # of the usage
    pages = {"notifyd.1": _overview()}
    for name in COMMANDS:
        pages[f"notifyd-{name}.1"] = _page(name)
    return pages


def _overview() -> str:
    lines = [
        _head("notifyd", "watch a workspace and send push notifications"),
        ".SH SYNOPSIS",
        ".B notifyd",
        "\\fICOMMAND\\fR [\\fIOPTIONS\\fR]",
        ".SH DESCRIPTION",
        "Watches logs, files, processes, units and jobs of a workspace, takes messages from",
        "programs, and sends push notifications of what a person wants to know.",
        ".SH COMMANDS",
    ]
    for name, summary in COMMANDS.items():
        lines += [".TP", f".BR notifyd\\-{_text(name)} (1)", _text(summary)]
    lines += [
        ".SH EXIT STATUS",
        "0 success, 1 failure, 2 usage error, 69 daemon not reachable, 75 try again later,",
        "77 token refused, 78 configuration error.",
    ]
    return "\n".join(lines) + "\n" + _FILES


def _page(name: str) -> str:
    parser = build_parser(name, import_module(f"notifyd.cli.{name}"))
    lines = [
        _head(f"notifyd-{name}", COMMANDS[name]),
        ".SH SYNOPSIS",
        ".nf",
        *(_text(line) for line in _usage(parser)),
        ".fi",
        ".SH DESCRIPTION",
        *_paragraphs(parser.description or ""),
    ]
    text, examples, status = _split(parser.epilog or "")
    if text:
        lines += [".PP", *_paragraphs(text)]
    lines += _arguments(parser)
    if status:
        lines += [".SH EXIT STATUS", *_paragraphs(status)]
    if examples:
        lines += [".SH EXAMPLES", ".nf", *(_text(line.strip()) for line in examples), ".fi"]
    lines += [".SH SEE ALSO", ".BR notifyd (1)"]
    return "\n".join(lines) + "\n"


def _head(name: str, summary: str) -> str:
    return (
        f'.\\" Written by `make docs` from the help of the commands. Edit that.\n'
        f'.TH {_text(name.upper())} 1 "" "notifyd {__version__}" "User commands"\n'
        f".SH NAME\n{_text(name)} \\- {_text(summary)}"
    )


def _usage(parser: argparse.ArgumentParser) -> list[str]:
    prefix = len("usage: ")
    return [line[prefix:] for line in parser.format_usage().rstrip().splitlines()]


def _split(epilog: str) -> tuple[str, list[str], str]:
    """Split an epilog into its text, the lines of its examples and its exit statuses."""
    text, examples, status = [], [], ""
    for paragraph in epilog.strip().split("\n\n"):
        if paragraph.startswith("examples:\n"):
            examples = paragraph.splitlines()[1:]
        elif paragraph.startswith("exit status:"):
            status = paragraph.removeprefix("exit status:").strip()
        else:
            text.append(paragraph)
    return "\n\n".join(text), examples, status


def _arguments(parser: argparse.ArgumentParser) -> list[str]:
    """Return the arguments by their groups; each action of a command has a section of its own."""
    lines: list[str] = []
    actions: dict[str, argparse.ArgumentParser] = {}
    for group in parser._action_groups:  # noqa: SLF001 - argparse has no public list of them
        rows: list[str] = []
        for action in group._group_actions:  # noqa: SLF001 - as above
            if isinstance(action.choices, dict):
                actions |= action.choices
            elif action.help != argparse.SUPPRESS:
                rows += [".TP", _name(action), _text(_help(action, parser))]
        if rows:
            title = group.title or "options"
            lines += [f".SH {_HEADINGS.get(title, title.upper())}", *rows]
    if actions:
        lines.append(".SH ACTIONS")
    for name, each in actions.items():
        lines += [f".SS {_text(name)}", ".nf", *map(_text, _usage(each)), ".fi"]
        lines += [line for line in _arguments(each) if not line.startswith(".SH ")]
    return lines


def _name(action: argparse.Action) -> str:
    value = action.metavar or (
        f"{{{','.join(map(str, action.choices))}}}" if action.choices else action.dest.upper()
    )
    if not action.option_strings:
        return f"\\fI{_text(str(value))}\\fR"
    flags = ", ".join(f"\\fB{_text(flag)}\\fR" for flag in action.option_strings)
    return flags if action.nargs == 0 else f"{flags} \\fI{_text(str(value))}\\fR"


def _help(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    return (action.help or "") % {**vars(action), "prog": parser.prog}


def _paragraphs(text: str) -> list[str]:
    lines: list[str] = []
    for paragraph in text.strip().split("\n\n"):
        lines += [".PP", _text(" ".join(paragraph.split()))]
    return lines[1:]


def _text(text: str) -> str:
    """Escape a line of text for man(7)."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga").replace("'", "\\(aq")
    text = text.replace("^", "\\(ha").replace("~", "\\(ti").replace('"', "\\(dq")
    return f"\\&{text}" if text.startswith((".", "'")) else text
