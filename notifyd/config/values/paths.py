"""Paths, patterns of paths and file modes."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from notifyd.config.values.lists import NON_EMPTY, STRING_OR_LIST, UNIQUE

SOCKET_PATH_LIMIT = 107
"""Bytes that the kernel accepts as the path of a socket."""


def expand_path(value: str) -> str:
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
        return expand_path(value)
    if value in ("", ".", "..") or "\0" in value:
        raise ValueError("invalid path or name")
    return value


def _parse_path(value: object) -> object:
    if isinstance(value, str):
        return Path(expand_path(value))
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


def _parse_mode(value: object) -> object:
    """Convert a file mode such as "0660" to a number."""
    octal = isinstance(value, str) and value and not set(value) - set("01234567")
    if octal and int(str(value), 8) <= 0o777:  # noqa: PLR2004 - rwxrwxrwx
        return int(str(value), 8)
    raise ValueError('invalid file mode; use a quoted octal such as "0660"')


AbsolutePath = Annotated[Path, BeforeValidator(_parse_path)]
SecretPath = Annotated[Path, BeforeValidator(_parse_secret_path)]
SocketPath = Annotated[Path, BeforeValidator(_parse_path), AfterValidator(_check_socket_path)]
PathPattern = Annotated[str, AfterValidator(expand_path)]
NonEmptyPathPatterns = Annotated[list[PathPattern], NON_EMPTY, UNIQUE, STRING_OR_LIST]
IgnorePattern = Annotated[str, AfterValidator(_check_ignore_pattern)]
IgnorePatterns = Annotated[list[IgnorePattern], UNIQUE, STRING_OR_LIST]
Mode = Annotated[int, BeforeValidator(_parse_mode)]
