"""All mistakes of a configuration at once, each as one line in plain words."""

import json
import re
from collections.abc import Mapping

from pydantic_core import ErrorDetails

from notifyd.text.durations import format_duration, format_size
from notifyd.text.limits import strip_control_from_title
from notifyd.text.redaction import redact

ConfigPath = tuple[str | int, ...]
"""Where something stands: ("triggers", "app-errors", "patterns", 0)."""

NO_VALUE = object()
_SECRET = re.compile(r"token|secret|passw|credential|api_?key", re.IGNORECASE)
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN = 80
_BOUNDS = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}
_TYPES = {
    "missing": "is missing",
    "bool_type": "must be true or false",
    "string_type": "must be text in quotes",
    "list_type": "must be text in quotes, or a list of such in square brackets",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "too_short": "must not be empty",
}


class Origins:
    """Which file or variable each key of the merged table came from, in their order."""

    def __init__(self) -> None:
        self._labels: dict[ConfigPath, tuple[int, str]] = {}

    def note(self, place: ConfigPath, label: str) -> None:
        self._labels[place] = (len(self._labels), label)

    def find(self, place: ConfigPath) -> tuple[int, str]:
        """Give the order and the label of a place, or of the nearest table around it."""
        for end in range(len(place), 0, -1):
            if found := self._labels.get(place[:end]):
                return found
        return -1, "configuration"

    def label(self, place: ConfigPath) -> str:
        return self.find(place)[1]


class ErrorReport:
    """Collects what is wrong (`problems`) and what is only doubtful (`warnings`)."""

    def __init__(self, origins: Origins) -> None:
        self._origins = origins
        self._found: list[tuple[int, str]] = []
        self._doubts: list[tuple[int, str]] = []

    @property
    def problems(self) -> list[str]:
        return [line for _, line in sorted(self._found, key=lambda found: found[0])]

    @property
    def warnings(self) -> list[str]:
        return [line for _, line in sorted(self._doubts, key=lambda found: found[0])]

    def file(self, sentence: str) -> None:
        """Add what keeps a whole file from being read."""
        self._found.append((-1, sentence))

    def wrong(self, place: ConfigPath, reason: str, value: object = NO_VALUE) -> None:
        order, label = self._origins.find(place)
        self._found.append((order, _line(label, place, reason, value)))

    def doubtful(self, place: ConfigPath, reason: str, value: object = NO_VALUE) -> None:
        order, label = self._origins.find(place)
        self._doubts.append((order, _line(label, place, reason, value)))


def _line(label: str, place: ConfigPath, reason: str, value: object) -> str:
    got = "" if value is NO_VALUE or _is_secret(place) else f" (got '{_shown(value)}')"
    where = strip_control_from_title(spoken_place(place))
    return f"{label}: {where}: {redact(strip_control_from_title(reason))}{got}"


def _is_secret(place: ConfigPath) -> bool:
    key = next((key for key in reversed(place) if isinstance(key, str)), "")
    return _SECRET.search(key) is not None


def _shown(value: object) -> str:
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, (list, dict)):
        text = json.dumps(value, ensure_ascii=False, default=str)
    else:
        text = str(value)
    text = redact(strip_control_from_title(text))
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def spoken_place(place: ConfigPath) -> str:
    """Write a place as people do: triggers.app-errors.patterns[0]."""
    text = ""
    for key in place:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            name = key if _BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False)
            text += f".{name}" if text else name
    return text


def reason(error: ErrorDetails, raw: object) -> str:
    """Say in our own words what pydantic found; `raw` is the value as it was written."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind in ("literal_error", "enum"):
        return f"must be one of: {_choices(str(context['expected']))}"
    if kind.startswith(("int_", "finite_number")):
        return "must be a whole number"
    if bound := _bound(context, raw):
        return bound
    return _TYPES.get(kind) or error["msg"][:1].lower() + error["msg"][1:]


def _choices(expected: str) -> str:
    """Turn pydantic's "'a', 'b' or 'c'" into "a, b, c"."""
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
