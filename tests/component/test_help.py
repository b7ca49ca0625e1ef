"""`--help` of every command: its examples are real."""

import re
import shlex
from importlib import import_module

import pytest

from notifyd.cli import COMMANDS
from notifyd.cli.argument_parser import build_parser


def examples(name):
    """Return the words after `notifyd NAME` of each example in the help of a command."""
    epilog = import_module(f"notifyd.cli.{name}").EPILOG
    _, found, after = epilog.partition("examples:\n")
    assert found, f"{name} has no examples"
    lines = after.partition("\n\n")[0].splitlines()
    assert all(re.match(r"  \S", line) for line in lines)
    commands = [re.search(rf"\bnotifyd {name}\b([^|&)>]*)", line) for line in lines]
    assert all(commands), f"an example of {name} runs another command"
    return [shlex.split(command[1]) for command in commands]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_are_valid_command_lines(name):
    module = import_module(f"notifyd.cli.{name}")
    for words in examples(name):
        if not (hasattr(module, "read") and module.read(words)):
            build_parser(name, module).parse_args(words)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_one_style(name):
    text = build_parser(name, import_module(f"notifyd.cli.{name}")).format_help()
    assert not re.search(r"^(Exit status|Examples?|example):", text, re.MULTILINE)
    assert text.index("examples:\n") < text.find("exit status:") or "exit status:" not in text
    assert max(map(len, text.splitlines())) < 150
