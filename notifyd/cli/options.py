"""Options that argparse explains and refuses, but that are read without it when all is plain.

Building an argparse parser takes a quarter of the time that `notifyd send` has.
"""

from types import SimpleNamespace

TYPE_CHECKING = False  # typing itself would cost as much
if TYPE_CHECKING:
    import argparse


class Option:
    """One option with a value. many: it may be repeated, for a list.

    bare: what the option alone stands for; it then takes a value only as --name=value, where
    argparse would take the next word.
    """

    def __init__(
        self,
        *flags: str,
        about: str,
        metavar: str | None = None,
        choices: tuple[str, ...] | None = None,
        many: bool = False,
        bare: str | None = None,
    ) -> None:
        self.flags = flags
        self.name = flags[-1].lstrip("-")
        self.about = about
        self.metavar = metavar
        self.choices = choices
        self.many = many
        self.bare = bare

    def describe(self, parser: "argparse.ArgumentParser") -> None:
        if self.bare:
            self._describe_bare(parser)
            return
        parser.add_argument(
            *self.flags,
            help=self.about,
            metavar=self.metavar,
            choices=self.choices,
            action="append" if self.many else "store",
            default=[] if self.many else None,
        )

    def _describe_bare(self, parser: "argparse.ArgumentParser") -> None:
        """Show --name[=D], for which argparse has no form: it would write --name [D].

        Who types just that gets it as the value, and it is refused as one.
        """
        from argparse import SUPPRESS  # noqa: PLC0415 - here it is imported already

        form = f"[={self.metavar}]"
        shown = f"--{self.name}{form}"
        parser.add_argument(
            shown, dest=self.name, action="store_const", const=form, help=self.about
        )
        parser.add_argument(*self.flags, nargs="?", const=self.bare, help=SUPPRESS)


class Flag(Option):
    """An option without a value."""

    def describe(self, parser: "argparse.ArgumentParser") -> None:
        parser.add_argument(*self.flags, help=self.about, action="store_true")


def plain(words: list[str], options: tuple[Option, ...]) -> SimpleNamespace | None:
    """Read a command line that is right and asks nothing; None leaves it to argparse.

    What is no option goes into `words`.
    """
    known = {flag: option for option in options for flag in option.flags}
    rest: list[str] = []
    found: dict[str, object] = {
        option.name: [] if option.many else False if isinstance(option, Flag) else None
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
            found[option.name] = True
            continue
        if value is None:
            value = option.bare or next(left, "--")
            if value.startswith("-") and value != "-":
                return None
        if option.choices and value not in option.choices:
            return None
        kept = found[option.name]
        if isinstance(kept, list):
            kept.append(value)
        else:
            found[option.name] = value
    return SimpleNamespace(words=rest, **found)


def _split(word: str) -> tuple[str, str | None]:
    """Part --name=value, -nvalue and -n=value; None where no value is attached."""
    if word.startswith("--") or word[2:3] == "=":
        flag, found, value = word.partition("=")
        return flag, value if found else None
    return word[:2], word[2:] or None
