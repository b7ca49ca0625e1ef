"""Patterns, templates and the other keys about text: encodings, formats, comparisons, data."""

import codecs
import math
from collections.abc import Iterator
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator

from notifyd.config import patterns, templates
from notifyd.config.comparison import CHANGED, parse_comparison
from notifyd.config.record_starts import RECORD_STARTS
from notifyd.config.values.lists import NON_EMPTY, STRING_OR_LIST, UNIQUE
from notifyd.model.notifications import Json, Priority
from notifyd.text.limits import DATA_LIMIT, data_size
from notifyd.text.suggestions import did_you_mean

_NESTED_FORMATS: Final = (["docker", "json"], ["cri", "json"])

_ESCAPING_CODECS = frozenset({"unicode-escape", "raw-unicode-escape", "utf-7", "punycode", "idna"})
"""Codecs that write other characters as ASCII sequences."""


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
Formats = Annotated[
    list[FormatName], AfterValidator(_check_formats), NON_EMPTY, UNIQUE, STRING_OR_LIST
]
Pattern = Annotated[str, AfterValidator(_check_pattern)]
Patterns = Annotated[list[Pattern], UNIQUE, STRING_OR_LIST]
NonEmptyPatterns = Annotated[list[Pattern], NON_EMPTY, UNIQUE, STRING_OR_LIST]
RecordStart = Annotated[str, AfterValidator(_check_record_start)]
Template = Annotated[str, AfterValidator(_check_template)]
Encoding = Annotated[str, AfterValidator(_check_encoding)]
Data = Annotated[Json, AfterValidator(_check_data), AfterValidator(_check_data_templates)]
PriorityName = Annotated[Priority, BeforeValidator(_parse_priority)]
ComparisonText = Annotated[str, AfterValidator(_check_comparison)]
When = Annotated[str, AfterValidator(_check_when)]
