"""Value types of configuration keys, other than times and sizes."""

import codecs
import grp
import math
import os
import pwd
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from string import ascii_letters, digits
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from notifyd.config import patterns, templates
from notifyd.config.comparison import CHANGED, parse_comparison
from notifyd.config.paths import ListenAddress, is_loopback
from notifyd.config.record_starts import RECORD_STARTS
from notifyd.model.notifications import Json, Priority
from notifyd.text.limits import DATA_LIMIT, data_size
from notifyd.text.suggestions import did_you_mean

SOCKET_PATH_LIMIT = 107
"""Bytes that the kernel accepts as the path of a socket."""

_UNIT_NAME_LIMIT = 255
_UNIT_CHARACTERS = frozenset(f"{ascii_letters}{digits}:-_.\\@*?[]!")
_UNIT_TYPES = (
    *("service", "socket", "timer", "scope", "slice", "path", "mount", "automount"),
    *("target", "device", "swap"),
)

_NESTED_FORMATS: Final = (["docker", "json"], ["cri", "json"])

_ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
"""A name that may be given to a user or a group."""
_NEW_GROUP = "create it with `groupadd --system {}`, or set an existing one"

SHELL = ("/bin/sh", "-c")
"""What runs a command that is written as one string."""

_EVENT_CHARACTERS = frozenset(f"{ascii_letters}{digits}._-*")
_SHORTEST_PING_KEY = 8
_PING_KEY_CHARACTERS = frozenset(f"{ascii_letters}{digits}-_")

_ESCAPING_CODECS = frozenset({"unicode-escape", "raw-unicode-escape", "utf-7", "punycode", "idna"})
"""Codecs that write other characters as ASCII sequences."""


def _expand_path(value: str) -> str:
    """Expand `~`. Refuse a relative path: its meaning depends on the working directory."""
    if not value or "\0" in value:
        raise ValueError("invalid path")
    path = os.path.expanduser(value)  # noqa: PTH111 - Path would normalize a glob
    if path.startswith("~"):
        raise ValueError(f"no home directory is known for {value.partition('/')[0]}")
    if not path.startswith("/"):
        meant = f"/{value}" if value.startswith("**/") else os.path.normpath(Path.cwd() / value)
        raise ValueError(f"path must be absolute or begin with ~; did you mean '{meant}'?")
    return path


def _check_ignore_pattern(value: str) -> str:
    """Accept a name without a slash: it is ignored in every directory."""
    if "/" in value or value == "~":
        return _expand_path(value)
    if value in ("", ".", "..") or "\0" in value:
        raise ValueError("invalid path or name")
    return value


def _parse_path(value: object) -> object:
    if isinstance(value, str):
        return Path(_expand_path(value))
    if isinstance(value, Path):
        return value
    raise ValueError("must be a path in quotes")


def _parse_secret_path(value: object) -> object:
    """Parse a path without repeating it in the error: it may be the secret itself."""
    try:
        return _parse_path(value)
    except ValueError:
        raise ValueError(
            "must be the absolute path of a file that holds the token, not the token itself"
        ) from None


def _check_socket_path(path: Path) -> Path:
    if len(os.fsencode(path)) > SOCKET_PATH_LIMIT:
        raise ValueError(f"path is too long for a socket; at most {SOCKET_PATH_LIMIT} bytes")
    return path


def _check_event_pattern(value: str) -> str:
    if not value or set(value) - _EVENT_CHARACTERS:
        raise ValueError('invalid event name; use for example "workload.failed" or "workload.*"')
    return value


def _parse_listen_address(value: object) -> object:
    if isinstance(value, ListenAddress):
        return value
    try:
        return ListenAddress.parse(value if isinstance(value, str) else "")
    except ValueError:
        reason = 'invalid address; use HOST:PORT such as "127.0.0.1:8787"'
        raise ValueError(reason) from None


def _check_ping_key(value: SecretStr) -> SecretStr:
    key = value.get_secret_value()
    if len(key) < _SHORTEST_PING_KEY or set(key) - _PING_KEY_CHARACTERS:
        raise ValueError(
            f"must have at least {_SHORTEST_PING_KEY} characters: letters, digits, '-' and '_'"
        )
    return value


def _parse_mode(value: object) -> object:
    """Convert a file mode such as "0660" to a number."""
    octal = isinstance(value, str) and value and not set(value) - set("01234567")
    if octal and int(str(value), 8) <= 0o777:  # noqa: PLR2004 - rwxrwxrwx
        return int(str(value), 8)
    raise ValueError('invalid file mode; use a quoted octal such as "0660"')


def _check_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        host = None
    if host is None or parts.scheme not in ("http", "https") or set(value) & set(" \t\r\n"):
        raise ValueError('invalid URL; use for example "https://api.oblien.com"')
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must be a base URL without user, password, query and fragment")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError(
            "http:// would send the token unencrypted; use https:// (http:// is accepted for "
            "loopback addresses only)"
        )
    return value.rstrip("/")


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


def _to_list(value: object) -> object:
    """Accept one string in place of a list."""
    return [value] if isinstance(value, str) else value


def _check_unique(values: list[str]) -> list[str]:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise ValueError(f"duplicate entry {value!r}")
    return values


def _check_formats(values: list[str]) -> list[str]:
    if len(values) > 1 and values not in _NESTED_FORMATS:
        raise ValueError('can be combined only as ["docker", "json"] or ["cri", "json"]')
    return values


def _check_pattern(value: str) -> str:
    patterns.compile_pattern(value)
    return value


def _check_template(value: str) -> str:
    if error := templates.template_error(value):
        raise ValueError(error)
    return value


def _check_encoding(value: str) -> str:
    """Accept encodings that keep ASCII as it is, in which a line end is a single LF byte."""
    try:
        name = codecs.lookup(value).name
        keeps_ascii = name not in _ESCAPING_CODECS and all(
            bytes([code]).decode(name) == chr(code) and chr(code).encode(name) == bytes([code])
            for code in range(0x80)
        )
    except UnicodeDecodeError:
        keeps_ascii = False
    except (LookupError, UnicodeError, TypeError, ValueError):
        raise ValueError('unknown text encoding; use for example "utf-8"') from None
    if name.startswith(("utf-16", "utf-32")):
        raise ValueError(
            "line ends of several bytes are not supported; convert the log to UTF-8 and watch "
            'the copy (docs/recipes.md, "Logs in UTF-16")'
        )
    if name == "utf-8-sig":
        raise ValueError('use "utf-8", which skips a byte order mark')
    if not keeps_ascii:
        raise ValueError("not supported: ASCII characters are not single bytes in this encoding")
    return name


def _check_data(value: Json) -> Json:
    if unsupported := _not_json(value):
        raise ValueError(f"{unsupported} cannot be written as JSON; use a string or a number")
    if data_size(value) > DATA_LIMIT:
        raise ValueError(f"too large; at most {DATA_LIMIT} bytes of JSON are allowed")
    return value


def _check_data_templates(value: Json) -> Json:
    for text in data_strings(value):
        if error := templates.template_error(text):
            raise ValueError(error)
    return value


def data_strings(value: object) -> Iterator[str]:
    """Yield the strings in a JSON value, which are templates; keys are none."""
    match value:
        case str():
            yield value
        case dict():
            for item in value.values():
                yield from data_strings(item)
        case list():
            for item in value:
                yield from data_strings(item)


def _not_json(value: object) -> str | None:
    """Return what in a value cannot be written as JSON; None if there is nothing."""
    if isinstance(value, dict):
        return next(filter(None, map(_not_json, value.values())), None)
    if isinstance(value, list):
        return next(filter(None, map(_not_json, value)), None)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, (str, int, float)):
        return None
    return "a date or time" if hasattr(value, "isoformat") else type(value).__name__


def _parse_priority(value: object) -> object:
    if isinstance(value, str) and value in list(Priority):
        return Priority(value)
    raise ValueError(f"must be one of: {', '.join(Priority)}{did_you_mean(str(value), Priority)}")


def _check_record_start(value: str) -> str:
    return RECORD_STARTS[value] if value in RECORD_STARTS else _check_pattern(value)


def _check_api_path(value: str) -> str:
    if not value.startswith("/") or not value.isprintable() or " " in value:
        raise ValueError('invalid API path; use for example "/sandbox/sb_1/metrics"')
    return value


def _check_jmespath(value: str) -> str:
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        jmespath.compile(value)
    except JMESPathError as error:
        raise ValueError(f"invalid JMESPath expression: {str(error).splitlines()[0]}") from None
    return value


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
        program = _expand_path(program)
    return [program, *value[1:]]


def _check_environment(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        if not name or "=" in name or "\0" in name + text:
            raise ValueError(f"{name!r} cannot be an environment variable")
    return value


def _check_comparison(value: str) -> str:
    if value == CHANGED:
        raise ValueError(f'use check = "{CHANGED}" for this')
    parse_comparison(value)
    return value


def _check_when(value: str) -> str:
    if value != CHANGED:
        parse_comparison(value, CHANGED)
    return value


FormatName = Literal["text", "json", "docker", "cri"]
AbsolutePath = Annotated[Path, BeforeValidator(_parse_path)]
SecretPath = Annotated[Path, BeforeValidator(_parse_secret_path)]
SocketPath = Annotated[Path, BeforeValidator(_parse_path), AfterValidator(_check_socket_path)]
TcpAddress = Annotated[ListenAddress, BeforeValidator(_parse_listen_address)]
PingKey = Annotated[SecretStr, AfterValidator(_check_ping_key)]
PathPattern = Annotated[str, AfterValidator(_expand_path)]
IgnorePattern = Annotated[str, AfterValidator(_check_ignore_pattern)]
Mode = Annotated[int, BeforeValidator(_parse_mode)]
Url = Annotated[str, AfterValidator(_check_url)]
Group = Annotated[str, AfterValidator(_exists("group", grp.getgrnam, _NEW_GROUP))]
User = Annotated[
    str, AfterValidator(_exists("user", _find_user, "use the name or the number of one"))
]
ProcessName = Annotated[str, AfterValidator(_check_process_name)]
Pattern = Annotated[str, AfterValidator(_check_pattern)]
RecordStart = Annotated[str, AfterValidator(_check_record_start)]
UnitPattern = Annotated[str, AfterValidator(_check_unit)]
Template = Annotated[str, AfterValidator(_check_template)]
Encoding = Annotated[str, AfterValidator(_check_encoding)]
Data = Annotated[Json, AfterValidator(_check_data), AfterValidator(_check_data_templates)]
PriorityName = Annotated[Priority, BeforeValidator(_parse_priority)]

STRING_OR_LIST = BeforeValidator(_to_list)
UNIQUE = AfterValidator(_check_unique)
NON_EMPTY = Field(min_length=1)
Names = Annotated[list[str], UNIQUE, STRING_OR_LIST]
Formats = Annotated[
    list[FormatName], AfterValidator(_check_formats), NON_EMPTY, UNIQUE, STRING_OR_LIST
]
Patterns = Annotated[list[Pattern], UNIQUE, STRING_OR_LIST]
NonEmptyPatterns = Annotated[list[Pattern], NON_EMPTY, UNIQUE, STRING_OR_LIST]
NonEmptyPathPatterns = Annotated[list[PathPattern], NON_EMPTY, UNIQUE, STRING_OR_LIST]
NonEmptyUnitPatterns = Annotated[list[UnitPattern], NON_EMPTY, UNIQUE, STRING_OR_LIST]
IgnorePatterns = Annotated[list[IgnorePattern], UNIQUE, STRING_OR_LIST]
EventPattern = Annotated[str, AfterValidator(_check_event_pattern)]
ApiPath = Annotated[str, AfterValidator(_check_api_path)]
JmesPath = Annotated[str, AfterValidator(_check_jmespath)]
Command = Annotated[
    list[str], NON_EMPTY, BeforeValidator(_parse_command), AfterValidator(_check_command)
]
EnvironmentTable = Annotated[dict[str, str], AfterValidator(_check_environment)]
ComparisonText = Annotated[str, AfterValidator(_check_comparison)]
When = Annotated[str, AfterValidator(_check_when)]
