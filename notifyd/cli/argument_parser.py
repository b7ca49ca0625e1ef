"""argparse with a suggestion for misspelt choices and options."""

import argparse
import re
from typing import NoReturn

from notifyd.text.suggestions import did_you_mean

_CHOICE = re.compile(r"(?s)(argument .*?: )invalid choice: '(.*)' \(choose from (.*)\)")
_UNKNOWN = re.compile(r"unrecognized arguments: (--[a-z-]+).*")
_OPTION = re.compile(r"--[a-z][a-z-]*")
_WORD = re.compile(r"[\w-]+")


class ArgumentParser(argparse.ArgumentParser):
    """Its subcommands are of this class too."""

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
