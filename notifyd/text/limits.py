"""What text may leave: within the limits, and without control characters."""

import json
import re
from collections.abc import Mapping
from typing import TypeVar, cast

from notifyd.model.notifications import Json

TITLE_LIMIT = 200
"""Characters."""
BODY_LIMIT = 2000
"""Characters."""
PAYLOAD_LIMIT = 3500
"""Bytes of the whole JSON, which is what phones' push services take."""
DATA_LIMIT = 3000
"""Bytes of JSON that a caller's own data may have: the rest is for our entries and some text."""

OURS = frozenset({"notification_id", "trigger", "priority", "count"})
"""The entries of `data` that are ours: they are never left out."""
LEFT_OUT = "left_out"
"""The entry of `data` that names what `fit` had to leave out."""

ELLIPSIS = "…"
_REPLACEMENT = "\ufffd"

_BIDI = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_CONTROLS = (*range(0x20), *range(0x7F, 0xA0))
_UNPRINTABLE = dict.fromkeys((*_CONTROLS, *_BIDI, *range(0xD800, 0xE000)), _REPLACEMENT)
_IN_BODY = {key: value for key, value in _UNPRINTABLE.items() if key not in (0x09, 0x0A)}
_IN_TITLE = _UNPRINTABLE | dict.fromkeys(b"\n\t", " ")
_SURROGATE = re.compile("[\ud800-\udfff]")

T = TypeVar("T")


def encode(title: str, body: str, data: Mapping[str, object]) -> bytes:
    """Write the request's JSON as it is sent: UTF-8, and an empty title or body left out.

    TypeError or ValueError for data that no JSON can hold.
    """
    text = {name: value for name, value in (("title", title), ("body", body)) if value}
    payload = json.dumps({**text, "data": data}, ensure_ascii=False, allow_nan=False)
    return payload.encode("utf-8", "replace")


def data_size(data: Mapping[str, object]) -> int:
    """Count the bytes of a caller's data as JSON; ValueError for a number that JSON cannot write.

    Up to DATA_LIMIT they leave room for our entries and some text.
    """
    return len(json.dumps(replace_surrogates(data), ensure_ascii=False, allow_nan=False).encode())


def replace_surrogates(value: T) -> T:
    """Replace lone surrogates, which no UTF-8 can carry, in text and in JSON at any depth."""
    return cast("T", _well_formed(value))


def is_well_formed(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def strip_control(text: str) -> str:
    """Replace what a phone must not interpret; newlines and tabs stay."""
    return text.replace("\r\n", "\n").translate(_IN_BODY)


def strip_control_from_title(text: str) -> str:
    """Replace what a phone must not interpret, and make it one line."""
    return " ".join(text.replace("\r\n", "\n").translate(_IN_TITLE).split())


def truncate_notification(title: str, body: str, data: Json) -> tuple[str, str, Json]:
    """Bring a notification within all limits, so that `encode` gives at most PAYLOAD_LIMIT bytes.

    The body is cut first, then the title, each on a character and with `…`. Only when the data
    leave no room for any text, its largest entries are left out, and `left_out` says which.
    """
    title = _cut(strip_control_from_title(title), TITLE_LIMIT)
    body = _cut(strip_control(body).strip("\n"), BODY_LIMIT)
    data = replace_surrogates(data)
    if len(encode(title, body, data)) > PAYLOAD_LIMIT:
        data = _lighten(data, PAYLOAD_LIMIT - _text_reserve(title))
        body = _cut_bytes(body, PAYLOAD_LIMIT - len(encode(title, "x", data)) + 1)
        title = _cut_bytes(title, PAYLOAD_LIMIT - len(encode("x", body, data)) + 1)
    return title, body, data


def _text_reserve(title: str) -> int:
    """Bytes to keep free of data: the frame around it, and the title or its first part."""
    return len(encode("x", "x", {})) + min(_size(title), 200)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + ELLIPSIS


def _cut_bytes(text: str, room: int) -> str:
    """Cut to `room` bytes of JSON, not counting the quotes around it."""
    if _size(text) - 2 <= room:
        return text
    room -= len(ELLIPSIS.encode())
    for end, character in enumerate(text):
        room -= _size(character) - 2
        if room < 0:
            return text[:end].rstrip() + ELLIPSIS if end else ""
    return text


def _size(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())


def _well_formed(value: object) -> object:
    match value:
        case str():
            return value if value.isascii() else _SURROGATE.sub(_REPLACEMENT, value)
        case dict():
            return {_well_formed(key): _well_formed(item) for key, item in value.items()}
        case list() | tuple():
            return [_well_formed(item) for item in value]
    return value


def _lighten(data: Json, room: int) -> Json:
    """Leave out the largest of the caller's entries until the rest has at most `room` bytes."""
    if _size(data) <= room:
        return data
    kept, gone = dict(data), 0
    for key in sorted(data.keys() - OURS, key=lambda key: _size({key: data[key]}), reverse=True):
        del kept[key]
        gone += 1
        note = "1 entry too large" if gone == 1 else f"{gone} entries too large"
        if _size(kept | {LEFT_OUT: note}) <= room:
            break
    return kept | {LEFT_OUT: note} if gone else kept
