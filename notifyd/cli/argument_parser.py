"""argparse with a suggestion for misspelt choices and options, and help in one style."""

import argparse
import re
import textwrap
from types import ModuleType
from typing import Any, NoReturn

from notifyd.text.suggestions import did_you_mean

_CHOICE = re.compile(r"(?s)(argument .*?: )invalid choice: '(.*)' \(choose from (.*)\)")
_UNKNOWN = re.compile(r"unrecognized arguments: (--[a-z-]+).*")
_OPTION = re.compile(r"--[a-z][a-z-]*")
_WORD = re.compile(r"[\w-]+")


class HelpFormatter(argparse.HelpFormatter):
    """Fills the paragraphs of a text, but keeps the lines of one with indented lines: examples."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = [
            textwrap.indent(paragraph, indent)
            if "\n  " in paragraph
            else super(HelpFormatter, self)._fill_text(paragraph, width, indent)
            for paragraph in text.strip("\n").split("\n\n")
        ]
        return "\n\n".join(paragraphs)


class ArgumentParser(argparse.ArgumentParser):
    """Its subcommands are of this class too."""

    def __init__(self, **keys: Any) -> None:
        super().__init__(**{"formatter_class": HelpFormatter} | keys)

    def error(self, message: str) -> NoReturn:
        """Print the usage and the error, with what may have been meant; exit with status 2."""
        if found := _CHOICE.fullmatch(message):
            where, value, listed = found.groups()
            choices = _WORD.findall(listed)
            hint = did_you_mean(value, choices)
            message = f"{where}invalid choice: {value!r}; use one of: {', '.join(choices)}{hint}"
        elif found := _UNKNOWN.fullmatch(message):
            message += did_you_mean(found[1], _OPTION.findall(self.format_help()))
        super().error(message)


def build_parser(name: str, module: ModuleType) -> ArgumentParser:
    """Return the parser of a command, from its module in notifyd/cli.

    Its EPILOG has, after paragraphs of text, one that begins with `examples:` and, where they say
    something, the exit statuses.
    """
    parser = ArgumentParser(
        prog=f"notifyd {name}",
        description=module.HELP,
        epilog=module.EPILOG,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    return parser
