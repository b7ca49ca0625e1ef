"""Values that sources store between runs: JSON with explicit keys, checked when it is read.

Stored keys are literals, independent of the names of attributes. A value without the key `format`
has format 1; the key is not `version`, because checkpoints of logs store another thing under that
name. Unknown keys are ignored, so a format can gain optional keys.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn, Self

import structlog

from notifyd.model.health import LISTED_PER_KIND, Problem
from notifyd.text.limits import strip_control_from_title

_FORMAT: Final = "format"
_LATEST: Final = 253_370_764_800
"""Seconds: the start of the year 9999. Later times cannot be written in every time zone."""
_QUOTED: Final = 40
"""Characters of an unusable value that a message quotes."""
_ESCAPED_BYTE: Final = re.compile(r"\\u(dc[89a-f][0-9a-f])")

log = structlog.get_logger()


class CheckpointValueError(ValueError):
    """A stored value is unusable. The message is a clause that says why."""


class StoredFields:
    """The fields of one stored value, by their stored names.

    A method raises CheckpointValueError for a field of another type and for a missing one. Optional
    fields are None if they are missing or null.
    """

    def __init__(self, fields: Mapping[str, object]) -> None:
        self._fields = fields

    @classmethod
    def decode(cls, text: str, *, newest: int = 1) -> Self:
        """Decode a JSON object. newest: the newest format that the caller reads."""
        value = decode_json(text, newest=newest)
        if not isinstance(value, dict):
            raise CheckpointValueError(f"it must be a JSON object, not {_quoted(value)}")
        return cls(value)

    @classmethod
    def of_row(cls, value: object, names: Sequence[str]) -> Self:
        """Name the items of a JSON array by their order. Additional items are ignored."""
        if not isinstance(value, list):
            raise CheckpointValueError(
                f"it must be a JSON array of {', '.join(names)}, not {_quoted(value)}"
            )
        return cls(dict(zip(names, value, strict=False)))

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def value(self, name: str) -> object:
        """Return a field of any type."""
        if name not in self._fields:
            raise CheckpointValueError(f'"{name}" is missing')
        return self._fields[name]

    def text(self, name: str, default: str | None = None) -> str:
        if default is not None and name not in self._fields:
            return default
        value = self.value(name)
        return value if isinstance(value, str) else _refuse(f'"{name}"', "a string", value)

    def latin_1(self, name: str) -> bytes:
        """Return bytes that are stored as text, one per character."""
        try:
            return self.text(name).encode("latin-1")
        except UnicodeEncodeError:
            raise CheckpointValueError(f'"{name}" must be bytes, one per character') from None

    def optional_text(self, name: str) -> str | None:
        return None if self._fields.get(name) is None else self.text(name)

    def texts(self, name: str) -> list[str]:
        value = self.value(name)
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return value
        return _refuse(f'"{name}"', "an array of strings", value)

    def text_map(self, name: str) -> dict[str, str]:
        value = self.value(name)
        if isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
            return value
        return _refuse(f'"{name}"', "an object of strings", value)

    def integer(
        self, name: str, default: int | None = None, *, least: int = 0, most: int = (1 << 64) - 1
    ) -> int:
        if default is not None and name not in self._fields:
            return default
        value = self.value(name)
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        return _refuse(f'"{name}"', f"an integer from {least} to {most}", value)

    def integer_map(
        self, name: str, default: dict[str, int] | None = None, *, most: int = (1 << 64) - 1
    ) -> dict[str, int]:
        """Return an object of integers from 0."""
        if default is not None and name not in self._fields:
            return default
        value = self.value(name)
        if not isinstance(value, dict):
            return _refuse(f'"{name}"', "an object of integers", value)
        items = StoredFields(value)
        return {key: items.integer(key, most=most) for key in value}

    def boolean(self, name: str, *, default: bool | None = None) -> bool:
        if default is not None and name not in self._fields:
            return default
        value = self.value(name)
        return value if isinstance(value, bool) else _refuse(f'"{name}"', "true or false", value)

    def optional_integer(self, name: str) -> int | None:
        return None if self._fields.get(name) is None else self.integer(name)

    def seconds(self, name: str, default: float | None = None) -> float:
        """Return a time in seconds since the epoch."""
        if default is not None and name not in self._fields:
            return default
        return as_seconds(self.value(name), f'"{name}"')

    def microseconds(self, name: str) -> int:
        """Return a time in microseconds since the epoch."""
        return self.integer(name, most=_LATEST * 1_000_000)

    def row(self, name: str, names: Sequence[str]) -> Self:
        """Return the items of an array, named by their order."""
        return self.of_row(self.value(name), names)

    def rows(self, name: str, names: Sequence[str]) -> list[Self]:
        """Return each array of an array of arrays like `row`."""
        value = self.value(name)
        if not isinstance(value, list):
            return _refuse(f'"{name}"', "an array of arrays", value)
        return [self.of_row(item, names) for item in value]


def decode_json(text: str, *, newest: int = 1) -> object:
    """Decode JSON of any type. CheckpointValueError if it is none, or of a newer format."""
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        raise CheckpointValueError(f"{_quoted(text)} is not JSON") from None
    if isinstance(value, dict):
        version = StoredFields(value).integer(_FORMAT, 1, least=1)
        if version > newest:
            raise CheckpointValueError(
                f"a newer version of notifyd wrote it in format {version}, and this version reads "
                f"formats up to {newest}"
            )
    return value


def escape_path(path: str) -> str:
    r"""Replace bytes that are not UTF-8 by \udcXX, so that the path can be stored."""
    return path if path.isascii() else path.encode("utf-8", "backslashreplace").decode()


def unescape_path(path: str) -> str:
    """Return the path that `escape_path` got."""
    return _ESCAPED_BYTE.sub(lambda byte: chr(int(byte[1], 16)), path)


def as_seconds(value: object, subject: str = "it") -> float:
    """Check a time in seconds since the epoch. subject: names the value in an error."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LATEST:
        return float(value)
    return _refuse(subject, f"a number of seconds from 0 to {_LATEST}", value)


class RefusedValues:
    """Stored values that a source cannot use. Each is discarded and reported once."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._named: list[Problem] = []
        self._unnamed = self._unnamed_logged = 0
        self._unlogged: list[Problem] = []

    def add(self, key: str, what: str, error: CheckpointValueError, consequence: str) -> None:
        """Refuse the value of a key. what: names the value. consequence: a clause."""
        if len(self._named) >= LISTED_PER_KIND - 1:
            self._unnamed += 1
            return
        message = strip_control_from_title(f"discarded the stored {what}: {error}; {consequence}")
        self._named.append(Problem("stored", message, subject=key, already_logged=True))
        self._unlogged.append(self._named[-1])

    @property
    def problems(self) -> list[Problem]:
        """List the values, at most as many as status shows; the last one counts the others."""
        if not self._unnamed:
            return self._named
        values = (
            "1 more stored value" if self._unnamed == 1 else f"{self._unnamed} more stored values"
        )
        return [
            *self._named,
            Problem("stored", f"discarded {values}", subject="more", already_logged=True),
        ]

    def log(self) -> None:
        """Log what was refused since the last call: to be called after a commit."""
        unlogged, self._unlogged = self._unlogged, []
        for problem in unlogged:
            log.warning(problem.message, source=self._source)
        if self._unnamed > self._unnamed_logged:
            self._unnamed_logged = self._unnamed
            log.warning(self.problems[-1].message, source=self._source)


def _refuse(subject: str, expected: str, value: object) -> NoReturn:
    raise CheckpointValueError(f"{subject} must be {expected}, not {_quoted(value)}")


def _quoted(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…"
