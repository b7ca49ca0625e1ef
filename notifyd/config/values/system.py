"""What the operating system knows by name: users, groups, units, programs and their environment."""

import grp
import pwd
import re
from collections.abc import Callable
from pathlib import Path
from string import ascii_letters, digits
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from notifyd.config.values.lists import NON_EMPTY, STRING_OR_LIST, UNIQUE
from notifyd.config.values.paths import expand_path
from notifyd.text.suggestions import did_you_mean

_UNIT_NAME_LIMIT = 255
_UNIT_CHARACTERS = frozenset(f"{ascii_letters}{digits}:-_.\\@*?[]!")
_UNIT_TYPES = (
    *("service", "socket", "timer", "scope", "slice", "path", "mount", "automount"),
    *("target", "device", "swap"),
)

_ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
"""A name that may be given to a user or a group."""
_NEW_GROUP = "create it with `groupadd --system {}`, or set an existing one"

SHELL = ("/bin/sh", "-c")
"""What runs a command that is written as one string."""


def _check_unit(value: str) -> str:
    """Accept a unit name or a glob; a name without a suffix means a service, as in systemctl."""
    if value.startswith("/"):
        raise ValueError("is a file path, not a systemd unit; use `paths` for files")
    if not value or set(value) - _UNIT_CHARACTERS or len(value) > _UNIT_NAME_LIMIT:
        raise ValueError('invalid unit name; use for example "nginx.service", or "*" for all units')
    if "[" in value and "]" not in value[value.rindex("[") :]:
        raise ValueError('"[" is not closed')
    if set(value) & set("*?["):
        return value
    suffix = value.rpartition(".")[2]
    if suffix in _UNIT_TYPES:
        return value
    if "." in value and (hint := did_you_mean(suffix, _UNIT_TYPES)):
        raise ValueError(f'unknown unit type ".{suffix}"{hint}')
    return f"{value}.service"


def _exists(kind: str, lookup: Callable[[str], object], fix: str) -> Callable[[str], str]:
    """Return a check that `lookup` finds a name. kind: what it names. fix: for a missing one."""

    def check(value: str) -> str:
        try:
            lookup(value)
        except KeyError:
            name = value if _ACCOUNT.fullmatch(value) else "NAME"
            reason = f"no such {kind} on this machine; {fix.format(name)}"
            raise ValueError(reason) from None
        return value

    return check


def _check_process_name(value: str) -> str:
    if not value or "/" in value:
        hint = f"; did you mean {Path(value).name!r}?" if Path(value).name else ""
        raise ValueError(f"must be the file name of a program, without directories{hint}")
    return value


def _find_user(name: str) -> object:
    return name if name.isascii() and name.isdigit() else pwd.getpwnam(name)


def _parse_command(value: object) -> object:
    """Convert a string to the arguments of a shell."""
    if isinstance(value, str):
        return [*SHELL, value] if value.strip() else []
    return value


def _check_command(value: list[str]) -> list[str]:
    """Expand `~` in the program's name. Refuse a relative path: it depends on the directory."""
    if any("\0" in argument for argument in value):
        raise ValueError("must not contain NUL characters")
    program = value[0]
    if not program.strip():
        raise ValueError("names no program")
    if program.startswith("~") or "/" in program:
        program = expand_path(program)
    return [program, *value[1:]]


def _check_environment(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        if not name or "=" in name or "\0" in name + text:
            raise ValueError(f"{name!r} cannot be an environment variable")
    return value


Group = Annotated[str, AfterValidator(_exists("group", grp.getgrnam, _NEW_GROUP))]
User = Annotated[
    str, AfterValidator(_exists("user", _find_user, "use the name or the number of one"))
]
ProcessName = Annotated[str, AfterValidator(_check_process_name)]
UnitPattern = Annotated[str, AfterValidator(_check_unit)]
NonEmptyUnitPatterns = Annotated[list[UnitPattern], NON_EMPTY, UNIQUE, STRING_OR_LIST]
Command = Annotated[
    list[str], NON_EMPTY, BeforeValidator(_parse_command), AfterValidator(_check_command)
]
EnvironmentTable = Annotated[dict[str, str], AfterValidator(_check_environment)]
