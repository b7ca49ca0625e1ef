"""The message and the fields of JSON lines as pino, zap, structlog and other loggers write them."""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from notifyd.text.frames import last_own_frame
from notifyd.text.limits import replace_surrogates
from notifyd.text.traces import exceptions_of
from notifyd.text.visible import visible_text

_MESSAGE_KEYS: Final = (
    *("msg", "message", "event", "log", "Message", "MESSAGE", "@m", "@mt"),
    *("short_message", "textPayload", "text", "body"),
)
"""The first of these whose value is a text holds the message."""
_LEVEL: Final = "level"
_LEVEL_KEYS: Final = (
    *(_LEVEL, "severity", "log.level", "levelname", "level_name", "lvl", "loglevel", "log_level"),
    *("severity_text", "severityText", "SeverityText", "Level", "LogLevel", "Severity", "@l"),
    "record.level.name",
)
_PINO_LEVELS: Final[Mapping[str, str]] = {
    "10": "trace",
    "20": "debug",
    "30": "info",
    "40": "warn",
    "50": "error",
    "60": "fatal",
}
"""Also those of bunyan."""
_SYSLOG_LEVELS: Final[Mapping[str, str]] = dict(
    zip(
        "01234567",
        ("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"),
        strict=True,
    )
)
_ERROR_KEYS: Final = (
    *("error", "err", "err.message", "error.message", "exception.message", "exception", "exc_info"),
    *("err.msg", "error.msg", "@x"),
)
_SAME_LEVELS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("warning", "w"), "warn"),
    **dict.fromkeys(("err", "e"), "error"),
    **dict.fromkeys(("crit", "c"), "critical"),
    **dict.fromkeys(("information", "i"), "info"),
    **dict.fromkeys(("emerg", "emergency", "f"), "fatal"),
}
"""Other words for a level, in lower case."""
_MAX_FIELDS: Final = 100
_MAX_VALUE: Final = 8_000
"""Characters of one value: far more than a notification can hold."""
_MAX_NAME: Final = 500
"""Characters of one name."""
_MAX_DEPTH: Final = 10

JsonObject = Mapping[str, object]


def parse_object(line: bytes) -> JsonObject | None:
    """Parse a line that is a JSON object; None for any other line."""
    if not line.lstrip().startswith(b"{"):
        return None
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def message_of(entry: JsonObject) -> str | None:
    """Return the message; None if no key of an object is known to hold one."""
    for key in _MESSAGE_KEYS:
        if isinstance(text := entry.get(key), str):
            return text.rstrip("\r\n")
    return None


def fields_of(entry: JsonObject) -> dict[str, str]:
    """Return the values of an object by their keys, those of nested objects as `outer.inner`.

    `level` is there under whatever name a logger gives it, as a word where the logger writes one of
    the numbers of pino, bunyan or syslog. Values of other types than text are as in JSON, null is
    empty, and so is a value nested too deeply. The number and the size of the fields are bounded.
    """
    fields: dict[str, str] = {}
    for name, value in _flatten(entry, "", _MAX_DEPTH):
        if len(fields) == _MAX_FIELDS:
            break
        fields[replace_surrogates(name[:_MAX_NAME])] = value
    for key in _LEVEL_KEYS:
        if level := fields.get(key):
            names = _SYSLOG_LEVELS if "short_message" in entry else _PINO_LEVELS
            fields[_LEVEL] = names.get(level, level)
            break
    return fields


def has_level(entry: bytes, levels: Collection[str]) -> bool:
    """Return whether a JSON line has one of these levels, as returned by `normalize_level`."""
    found = parse_object(entry)
    return found is not None and normalize_level(fields_of(found).get(_LEVEL, "")) in levels


def normalize_level(level: str) -> str:
    """Return the one word that stands for a level: `WARNING` is `warn`."""
    level = level.casefold()
    return _SAME_LEVELS.get(level, level)


def errors_of(fields: Mapping[str, str], message: str) -> list[str]:
    """Return the exceptions of a stack trace among the fields, newest first, else the error.

    Empty if the message has all of it.
    """
    for value in _traces(fields):
        return [exception for exception in exceptions_of(value) if exception not in message]
    for key in _ERROR_KEYS:
        if error := fields.get(key, "").strip().partition("\n")[0]:
            return [] if error in message else [error]
    return []


def frame_of(fields: Mapping[str, str]) -> str:
    """Return the last own frame of a stack trace among the fields; empty without one."""
    return next(map(last_own_frame, _traces(fields)), "")


def _traces(fields: Mapping[str, str]) -> Iterator[str]:
    return (value for value in fields.values() if "\n" in value and exceptions_of(value))


def _flatten(entry: JsonObject, prefix: str, depth: int) -> Iterator[tuple[str, str]]:
    for key, value in entry.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value and depth:
            yield from _flatten(value, f"{name}.", depth - 1)
        else:
            yield name, _to_text(value)


def _to_text(value: object) -> str:
    match value:
        case None:
            return ""
        case str():
            return replace_surrogates(visible_text(value[:_MAX_VALUE]))
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))[:_MAX_VALUE]
    except RecursionError:  # parsed with a few frames less on the stack
        return ""
