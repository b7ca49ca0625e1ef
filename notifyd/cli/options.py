"""Options that several commands share, and a parser for `notifyd send` without argparse.

Building an argparse parser takes a quarter of the time that `notifyd send` may take. So a valid
command line is parsed here, and argparse only writes help and usage errors.
"""

from types import SimpleNamespace

SOCKET_HELP = "socket of the daemon (default: $NOTIFYD_SOCK, then the first that answers)"

TYPE_CHECKING = False  # importing typing would take as long
if TYPE_CHECKING:
    import argparse


def add_daemon_options(parser: "argparse.ArgumentParser") -> None:
    """Add the options of every command that asks the daemon."""
    parser.add_argument("--socket", metavar="PATH", help=SOCKET_HELP)
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")


def add_config_option(parser: "argparse.ArgumentParser") -> None:
    """Add --config to a command that reads the configuration itself."""
    from pathlib import Path  # noqa: PLC0415 - `notifyd send` does not need it

    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="configuration file (default: $NOTIFYD_CONFIG, then ~/.config/notifyd/config.toml, "
        "then /etc/notifyd/config.toml)",
    )


class Option:
    """An option with a value.

    repeatable: its values make a list. implicit: the value of the option alone; then a value is
    given only as --name=value, whereas argparse would take the next word.
    """

    def __init__(
        self,
        *flags: str,
        about: str,
        metavar: str | None = None,
        choices: tuple[str, ...] | None = None,
        repeatable: bool = False,
        implicit: str | None = None,
    ) -> None:
        self.flags = flags
        self.name = flags[-1].lstrip("-").replace("-", "_")
        self.about = about
        self.metavar = metavar
        self.choices = choices
        self.repeatable = repeatable
        self.implicit = implicit

    def add_to(self, parser: "argparse.ArgumentParser") -> None:
        if self.implicit:
            self._add_implicit_to(parser)
            return
        parser.add_argument(
            *self.flags,
            help=self.about,
            metavar=self.metavar,
            choices=self.choices,
            action="append" if self.repeatable else "store",
            default=[] if self.repeatable else None,
        )

    def _add_implicit_to(self, parser: "argparse.ArgumentParser") -> None:
        """Document --name[=D]. argparse has no such form: it would write --name [D].

        Whoever types just that gets "[=D]" as the value, which is refused.
        """
        from argparse import SUPPRESS  # noqa: PLC0415 - already imported at this point

        form = f"[={self.metavar}]"
        documented = f"--{self.name}{form}"
        parser.add_argument(
            documented, dest=self.name, action="store_const", const=form, help=self.about
        )
        parser.add_argument(*self.flags, nargs="?", const=self.implicit, help=SUPPRESS)


class Flag(Option):
    """An option without a value."""

    def add_to(self, parser: "argparse.ArgumentParser") -> None:
        parser.add_argument(*self.flags, help=self.about, action="store_true")


def parse_valid(words: list[str], options: tuple[Option, ...]) -> SimpleNamespace | None:
    """Parse a valid command line; return None if argparse has to explain something.

    Words that are not options become `words`.
    """
    known = {flag: option for option in options for flag in option.flags}
    rest: list[str] = []
    values: dict[str, object] = {
        option.name: [] if option.repeatable else False if isinstance(option, Flag) else None
        for option in options
    }
    left = iter(words)
    for word in left:
        if word == "--":
            rest += left
            break
        if word == "-" or not word.startswith("-"):
            rest.append(word)
            continue
        flag, value = _split(word)
        option = known.get(flag)
        if option is None or (isinstance(option, Flag) and value is not None):
            return None
        if isinstance(option, Flag):
            values[option.name] = True
            continue
        if value is None:
            value = option.implicit or next(left, "--")
            if value.startswith("-") and value != "-":
                return None
        if option.choices and value not in option.choices:
            return None
        previous = values[option.name]
        if isinstance(previous, list):
            previous.append(value)
        else:
            values[option.name] = value
    return SimpleNamespace(words=rest, **values)


def _split(word: str) -> tuple[str, str | None]:
    """Split --name=value, -nvalue and -n=value; the value is None if there is none."""
    if word.startswith("--") or word[2:3] == "=":
        flag, separator, value = word.partition("=")
        return flag, value if separator else None
    return word[:2], word[2:] or None
