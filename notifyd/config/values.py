"""The kinds of values that the config's keys take, beyond durations and sizes."""

import codecs
import grp
import math
import os
import pwd
from collections.abc import Callable
from pathlib import Path
from string import ascii_letters, digits
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from notifyd.config import patterns, templates
from notifyd.config.hosts import is_loopback
from notifyd.model.notifications import Json, Priority
from notifyd.text.limits import DATA_LIMIT, data_size
from notifyd.text.suggestions import did_you_mean

SOCKET_PATH_LIMIT = 107
"""Bytes that the kernel has for a socket's path."""

UNIT_NAME_LIMIT = 255
_UNIT_CHARACTERS = frozenset(f"{ascii_letters}{digits}:-_.\\@*?[]!")
_UNIT_KINDS = (
    *("service", "socket", "timer", "scope", "slice", "path", "mount", "automount"),
    *("target", "device", "swap"),
)

_ESCAPING = frozenset({"unicode-escape", "raw-unicode-escape", "utf-7", "punycode", "idna"})
"""Codecs that write other characters with ASCII ones, some of them lone surrogates."""


def expanded(value: str) -> str:
    """Expand `~`; refuse a path whose meaning would hang on where the daemon was started."""
    if not value or "\0" in value:
        raise ValueError("is no path")
    path = os.path.expanduser(value)  # noqa: PTH111 - a glob, which Path would tidy up
    if path.startswith("~"):
        raise ValueError(f"names a user without a home here: {value.partition('/')[0]}")
    if not path.startswith("/"):
        meant = f"/{value}" if value.startswith("**/") else os.path.normpath(Path.cwd() / value)
        raise ValueError(f"must be absolute or begin with ~; perhaps {meant}")
    return path


def _ignored(value: str) -> str:
    """Take a pattern without a slash as it is: it stands for names in any folder."""
    if "/" in value or value == "~":
        return expanded(value)
    if value in ("", ".", "..") or "\0" in value:
        raise ValueError("is no path and no name")
    return value


def _path(value: object) -> object:
    if isinstance(value, str):
        return Path(expanded(value))
    if isinstance(value, Path):
        return value
    raise ValueError("must be a path in quotes")


def _secret_path(value: object) -> object:
    """Like any path, but nothing of it is repeated: it may be the secret itself."""
    try:
        return _path(value)
    except ValueError:
        raise ValueError(
            "must be the absolute path of a file that holds the token, not the token itself"
        ) from None


def _socket_path(path: Path) -> Path:
    if len(os.fsencode(path)) > SOCKET_PATH_LIMIT:
        raise ValueError(f"is too long for a socket: at most {SOCKET_PATH_LIMIT} bytes")
    return path


def _mode(value: object) -> object:
    """Read an octal file mode in quotes, such as "0660"."""
    octal = isinstance(value, str) and value and not set(value) - set("01234567")
    if octal and int(str(value), 8) <= 0o777:  # noqa: PLR2004 - rwxrwxrwx
        return int(str(value), 8)
    raise ValueError('is no file mode: write it in quotes, such as "0660"')


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        host = None
    if host is None or parts.scheme not in ("http", "https") or set(value) & set(" \t\r\n"):
        raise ValueError("is no URL: write one like https://api.oblien.com")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must be only a base URL: no user, password, query or fragment")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("would send the token unencrypted: http:// is for this machine only")
    return value.rstrip("/")


def _unit(value: str) -> str:
    """Accept a unit's name or a glob of them; without a suffix a service is meant, as systemctl."""
    if value.startswith("/"):
        raise ValueError("is a file, and no systemd unit: files belong into paths")
    if not value or set(value) - _UNIT_CHARACTERS or len(value) > UNIT_NAME_LIMIT:
        raise ValueError('is no name of a systemd unit: write one like "nginx.service", or "*"')
    if "[" in value and "]" not in value[value.rindex("[") :]:
        raise ValueError('has a "[" without a "]" behind it')
    if set(value) & set("*?["):
        return value
    suffix = value.rpartition(".")[2]
    if suffix in _UNIT_KINDS:
        return value
    if "." in value and (meant := did_you_mean(suffix, _UNIT_KINDS)):
        raise ValueError(f'ends in ".{suffix}", which is no kind of systemd unit{meant}')
    return f"{value}.service"


def _known(kind: str, lookup: Callable[[str], object]) -> Callable[[str], str]:
    def check(value: str) -> str:
        try:
            lookup(value)
        except KeyError:
            raise ValueError(f"there is no {kind} of this name on this machine") from None
        return value

    return check


def _process_name(value: str) -> str:
    if not value or "/" in value:
        raise ValueError(f"is compared with a program's last part: perhaps {Path(value).name!r}")
    return value


def _find_user(name: str) -> object:
    return name if name.isascii() and name.isdigit() else pwd.getpwnam(name)


def _listed(value: object) -> object:
    """Take one string where a list of them is meant."""
    return [value] if isinstance(value, str) else value


def _distinct(values: list[str]) -> list[str]:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise ValueError(f"lists {value!r} twice")
    return values


def _pattern(value: str) -> str:
    patterns.compiled(value)
    return value


def _template(value: str) -> str:
    if wrong := templates.mistake(value):
        raise ValueError(wrong)
    return value


def _encoding(value: str) -> str:
    """Accept what has ASCII as ASCII, so that a newline is one byte wherever it stands."""
    try:
        name = codecs.lookup(value).name
        plain = name not in _ESCAPING and all(
            bytes([code]).decode(name) == chr(code) and chr(code).encode(name) == bytes([code])
            for code in range(0x80)
        )
    except UnicodeDecodeError:
        plain = False
    except (LookupError, UnicodeError, TypeError, ValueError):
        raise ValueError('is no text encoding known here: write one like "utf-8"') from None
    if name.startswith(("utf-16", "utf-32")):
        raise ValueError(
            "cannot be followed, because a line's end is more than one byte there: have the log "
            'written anew as UTF-8 and watch that (README, "Logs in UTF-16")'
        )
    if name == "utf-8-sig":
        raise ValueError('is not needed: with "utf-8" a byte order mark is skipped as well')
    if not plain:
        raise ValueError("does not write ASCII as plain single bytes and cannot be followed")
    return name


def _jsonable(value: Json) -> Json:
    if wrong := _not_json(value):
        raise ValueError(f"{wrong} cannot be sent as JSON: write text or a number")
    if data_size(value) > DATA_LIMIT:
        raise ValueError(f"is too large: a notification's data may have {DATA_LIMIT} bytes of JSON")
    return value


def _not_json(value: object) -> str | None:
    if isinstance(value, dict):
        return next(filter(None, map(_not_json, value.values())), None)
    if isinstance(value, list):
        return next(filter(None, map(_not_json, value)), None)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, (str, int, float)):
        return None
    return "a date or time" if hasattr(value, "isoformat") else type(value).__name__


def _priority(value: object) -> object:
    if isinstance(value, str) and value in list(Priority):
        return Priority(value)
    raise ValueError(f"must be one of: {', '.join(Priority)}{did_you_mean(str(value), Priority)}")


AbsolutePath = Annotated[Path, BeforeValidator(_path)]
SecretPath = Annotated[Path, BeforeValidator(_secret_path)]
SocketPath = Annotated[Path, BeforeValidator(_path), AfterValidator(_socket_path)]
PathPattern = Annotated[str, AfterValidator(expanded)]
Mode = Annotated[int, BeforeValidator(_mode)]
Url = Annotated[str, AfterValidator(_url)]
Group = Annotated[str, AfterValidator(_known("group", grp.getgrnam))]
ProcessName = Annotated[str, AfterValidator(_process_name)]
User = Annotated[str, AfterValidator(_known("user", _find_user))]
Pattern = Annotated[str, AfterValidator(_pattern)]
UnitPattern = Annotated[str, AfterValidator(_unit)]
Template = Annotated[str, AfterValidator(_template)]
Encoding = Annotated[str, AfterValidator(_encoding)]
Data = Annotated[Json, AfterValidator(_jsonable)]
PriorityName = Annotated[Priority, BeforeValidator(_priority)]

LISTED = BeforeValidator(_listed)
DISTINCT = AfterValidator(_distinct)
SOME = Field(min_length=1)
Names = Annotated[list[str], DISTINCT, LISTED]
IgnorePattern = Annotated[str, AfterValidator(_ignored)]
IgnorePatterns = Annotated[list[IgnorePattern], DISTINCT, LISTED]
SomePathPatterns = Annotated[list[PathPattern], SOME, DISTINCT, LISTED]
SomeUnitPatterns = Annotated[list[UnitPattern], SOME, DISTINCT, LISTED]
Patterns = Annotated[list[Pattern], DISTINCT, LISTED]
SomePatterns = Annotated[list[Pattern], SOME, DISTINCT, LISTED]
