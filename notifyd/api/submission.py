"""From the JSON of a send request to the message it asks for, or to the field that is wrong."""

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast

from notifyd.api.errors import ApiError, bad_request, printable, wrong_field
from notifyd.model.notifications import Json, Message, Priority
from notifyd.text.durations import format_duration, parse_duration
from notifyd.text.limits import DATA_LIMIT, data_size, replace_surrogates
from notifyd.text.suggestions import did_you_mean

LONGEST_DELAY = 30 * 86_400.0
LONGEST_MUTE = 366 * 86_400.0
LONGEST_KEY = 200
DEEPEST_DATA = 32

_FIELDS = ("title", "body", "message", "data", "priority", "key", "delay")
_MUTE_FIELDS = ("trigger", "for")
_TYPE_NAMES = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
}


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON number")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


@dataclass(frozen=True, slots=True)
class Submission:
    """What a client asked for. delay: seconds."""

    message: Message
    priority: Priority
    key: str
    delay: float


def submission(raw: bytes) -> Submission:
    """Read a request's body; an ApiError says what is wrong with it."""
    fields = _object(raw)
    for name in fields:
        if name not in _FIELDS:
            raise wrong_field(printable(name), _unknown(name), "unknown_field")
    title = _string(fields, "title")
    body = _string(fields, "body")
    message = _string(fields, "message")
    if body and message:
        raise wrong_field("message", "is another name for body: give one of them")
    body = body or message
    if not title.strip() and not body.strip():
        raise wrong_field("title", "and body are both empty: give at least one of them", "empty")
    key = _string(fields, "key")
    if len(key) > LONGEST_KEY:
        raise wrong_field("key", f"may have at most {LONGEST_KEY} characters (got {len(key)})")
    return Submission(
        Message(title=title, body=body, data=_data(fields)),
        _priority(_string(fields, "priority")),
        key,
        duration("delay", _string(fields, "delay"), LONGEST_DELAY),
    )


def mute_wish(raw: bytes) -> tuple[str, float]:
    """Read which trigger is to be muted, empty for everything, and for how many seconds."""
    fields = _object(raw)
    for name in fields:
        if name not in _MUTE_FIELDS:
            reason = "is no field of a mute" + did_you_mean(name, _MUTE_FIELDS)
            raise wrong_field(printable(name), reason, "unknown_field")
    if not fields.get("for"):
        raise wrong_field("for", 'is missing: say how long, such as "30m"; "0s" ends a mute')
    return _string(fields, "trigger"), duration("for", _string(fields, "for"), LONGEST_MUTE)


def duration(name: str, text: str, longest: float) -> float:
    """Read a duration with a unit, as seconds; empty is none."""
    if not text:
        return 0.0
    try:
        value = parse_duration(text)
    except ValueError as error:
        raise wrong_field(name, f"is an {error} (got {printable(text)!r})") from None
    if value > longest:
        limit = format_duration(longest)
        raise wrong_field(name, f"may be at most {limit} (got {printable(text)!r})")
    return value


def _object(raw: bytes) -> Json:
    try:
        value = _DECODER.decode(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise bad_request("The body is not UTF-8, so it is no JSON.") from None
    except RecursionError:
        raise bad_request("The body's JSON is nested too deeply.") from None
    except ValueError as error:
        raise bad_request(f"The body is no JSON: {printable(str(error))}.") from None
    if not isinstance(value, dict):
        raise wrong_field("The body", f"must be a JSON object, not {_type_name(value)}")
    return cast("Json", value)


def _type_name(value: object) -> str:
    return _TYPE_NAMES.get(type(value), "null")


def _unknown(name: str) -> str:
    return "is no field of a notification" + (
        did_you_mean(name, _FIELDS) or f" (known are {', '.join(_FIELDS)})"
    )


def _string(fields: Json, name: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise wrong_field(name, f"must be a string, not {_type_name(value)}")
    return replace_surrogates(value)


def _priority(text: str) -> Priority:
    try:
        return Priority(text or "default")
    except ValueError:
        known = ", ".join(Priority)
        raise wrong_field("priority", f"must be one of {known} (got {printable(text)!r})") from None


def _data(fields: Json) -> Json:
    data = fields.get("data")
    if data is None or data == {}:
        return {}
    if not isinstance(data, dict):
        raise wrong_field("data", f"must be an object, not {_type_name(data)}")
    if _depth(data) > DEEPEST_DATA:
        raise wrong_field(
            "data", f"may be nested at most {DEEPEST_DATA} levels deep", "data_too_deep"
        )
    try:
        size = data_size(data)
    except ValueError:
        raise wrong_field("data", "holds a number that JSON cannot write") from None
    if size > DATA_LIMIT:
        raise ApiError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "data_too_large",
            f"data may take at most {DATA_LIMIT} bytes as JSON, "
            f"which is what phones' push services take (got {size}).",
        )
    return replace_surrogates(cast("Json", data))


def _depth(value: object) -> int:
    """Count the levels without recursion, and stop soon after there are too many."""
    level, inside = 0, [value]
    while inside and level <= DEEPEST_DATA:
        level += 1
        inside = [
            child
            for outer in inside
            for child in _children(outer)
            if isinstance(child, (dict, list))
        ]
    return level


def _children(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
