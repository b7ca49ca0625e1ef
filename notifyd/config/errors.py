"""Collects every error and warning of a configuration, each as one line of text."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from pydantic_core import ErrorDetails

from notifyd.model.notifications import Json
from notifyd.text.durations import format_duration, format_size
from notifyd.text.limits import clip, strip_control_from_title
from notifyd.text.redaction import redact

ConfigPath = tuple[str | int, ...]
"""The keys and indexes that lead to a value: ("triggers", "app-errors", "patterns", 0)."""

NO_VALUE = object()
"""Passed as the value of an error that shows none."""

_SECRET_KEY = re.compile(r"token|secret|passw|credential|(api|ping)_?key", re.IGNORECASE)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_MAX_SHOWN = 80
_BOUNDS = {"gt": "greater than", "ge": "at least", "lt": "less than", "le": "at most"}
_REASONS = {
    "bool_type": "must be true or false",
    "string_type": "must be a string in quotes",
    "list_type": "must be a string, or a list of strings in square brackets",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "too_short": "must not be empty",
}
"""Reasons by pydantic's error types."""


class Origins:
    """The file or environment variable that each key of the merged table came from."""

    def __init__(self) -> None:
        self._labels: dict[ConfigPath, tuple[int, str]] = {}

    def record(self, path: ConfigPath, label: str) -> None:
        self._labels[path] = (len(self._labels), label)

    def find(self, path: ConfigPath) -> tuple[int, str]:
        """Return the position and the label of a path, or of its nearest recorded parent.

        Positions increase in the order in which the keys were read.
        """
        for end in range(len(path), 0, -1):
            if origin := self._labels.get(path[:end]):
                return origin
        return -1, "configuration"

    def label(self, path: ConfigPath) -> str:
        return self.find(path)[1]


class ErrorReport:
    """Errors, which make a configuration unusable, and warnings, which do not."""

    def __init__(self, origins: Origins) -> None:
        self._origins = origins
        self._errors: list[tuple[int, str]] = []
        self._warnings: list[tuple[int, str]] = []

    @property
    def errors(self) -> list[str]:
        """One line for each error, in the order in which their keys were read."""
        return [line for _, line in sorted(self._errors, key=_position)]

    @property
    def warnings(self) -> list[str]:
        return [line for _, line in sorted(self._warnings, key=_position)]

    def file_error(self, sentence: str) -> None:
        """Add an error that concerns a whole file."""
        self._errors.append((-1, sentence))

    def file_warning(self, sentence: str) -> None:
        """Add a warning that concerns a whole file."""
        self._warnings.append((-1, sentence))

    def error(self, path: ConfigPath, reason: str, value: object = NO_VALUE) -> None:
        position, label = self._origins.find(path)
        self._errors.append((position, _line(label, path, reason, value)))

    def warning(self, path: ConfigPath, reason: str, value: object = NO_VALUE) -> None:
        position, label = self._origins.find(path)
        self._warnings.append((position, _line(label, path, reason, value)))


def format_path(path: ConfigPath) -> str:
    """Format a path as in TOML: triggers.app-errors.patterns[0]."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            name = key if _BARE_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)
            text += f".{name}" if text else name
    return text


def reason_for(error: ErrorDetails, raw: object) -> str:
    """Describe a pydantic error in our words. raw: the value as it was written."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind in ("literal_error", "enum"):
        return f"must be one of: {_choices(str(context['expected']))}"
    if kind.startswith(("int_", "finite_number")):
        return "must be a whole number"
    if bound := _bound(context, raw):
        return bound
    return _REASONS.get(kind) or error["msg"][:1].lower() + error["msg"][1:]


def _position(entry: tuple[int, str]) -> int:
    return entry[0]


def _line(label: str, path: ConfigPath, reason: str, value: object) -> str:
    got = "" if value is NO_VALUE or _is_secret(path) else f" (got '{_format_value(value)}')"
    key = strip_control_from_title(format_path(path))
    return f"{label}: {key}: {redact(strip_control_from_title(reason))}{got}"


def _is_secret(path: ConfigPath) -> bool:
    key = next((key for key in reversed(path) if isinstance(key, str)), "")
    return _SECRET_KEY.search(key) is not None


def _format_value(value: object) -> str:
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, (list, dict)):
        text = json.dumps(value, ensure_ascii=False, default=str)
    else:
        text = str(value)
    text = redact(strip_control_from_title(text))
    return clip(text, _MAX_SHOWN)


def _choices(expected: str) -> str:
    """Convert pydantic's "'a', 'b' or 'c'" to "a, b, c"."""
    return ", ".join(re.findall(r"'([^']*)'", expected))


def _bound(context: Mapping[str, object], raw: object) -> str:
    for key, words in _BOUNDS.items():
        limit = context.get(key)
        if isinstance(limit, float):
            return f'must be {words} "{format_duration(limit)}"'
        if isinstance(limit, int):
            size = f'"{format_size(limit)}"' if isinstance(raw, str) else str(limit)
            return f"must be {words} {size}"
    return ""


def with_paths(
    path: ConfigPath, raw: Json, key: str, values: Sequence[str]
) -> Iterator[tuple[ConfigPath, str]]:
    """Yield the values of a key with their paths; a string in place of a list has no index."""
    for index, value in enumerate(values):
        yield (*path, key, index) if isinstance(raw.get(key), list) else (*path, key), value
