"""Brings the text of a notification within its limits and removes control characters."""

import json
import re
from collections.abc import Iterable, Mapping
from itertools import chain
from math import inf
from typing import TypeVar, cast

from notifyd.model.notifications import Json

TITLE_LIMIT = 200
"""Characters."""
BODY_LIMIT = 2000
"""Characters."""
PAYLOAD_LIMIT = 3500
"""Bytes of the whole JSON, the limit of phones' push services."""
DATA_LIMIT = 3000
"""Bytes of JSON that a caller's data may have. The rest is for reserved entries and some text."""

RESERVED_KEYS = frozenset({"notification_id", "trigger", "priority", "count"})
"""The keys of `data` that notifyd sets itself. They are never left out."""
LEFT_OUT = "left_out"
"""The key of `data` that says what `truncate_notification` had to leave out."""

_MAX_PARTIAL_LINE = 300
"""Characters of an incomplete first line that are dropped rather than shown."""
ELLIPSIS = "…"
_REPLACEMENT = "\ufffd"

_DIRECTION_MARKS = (0x061C, 0x200E, 0x200F, *range(0x2066, 0x206A))
"""Marks and isolates: invisible, and common in right-to-left text. They are dropped."""
_OVERRIDES = range(0x202A, 0x202F)
"""Embeddings and overrides, which can make a text look like another one."""
_CONTROLS = (*range(0x20), *range(0x7F, 0xA0))
_REPLACED: dict[int, str | None] = {
    **dict.fromkeys((*_CONTROLS, *_OVERRIDES), _REPLACEMENT),
    **dict.fromkeys(_DIRECTION_MARKS),
}
_REPLACED_IN_BODY = {key: value for key, value in _REPLACED.items() if key not in (0x09, 0x0A)}
_REPLACED_IN_TITLE = _REPLACED | dict.fromkeys(b"\n\t", " ")
_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")
_SURROGATE = re.compile("[\ud800-\udfff]")

_LONGEST_CHARACTER = 6
"""Bytes that one character takes in JSON at most: \\u001f."""
_ENTRY_OVERHEAD = 2
"""Characters that stand for the quotes, colon and comma of an entry: 8 bytes."""
_FRAME_OVERHEAD = 64
"""Bytes, at most, of a request without its texts and entries."""

T = TypeVar("T")


def encode(title: str, body: str, data: Mapping[str, object]) -> bytes:
    """Encode a request as UTF-8 JSON, without an empty title or body.

    Raise TypeError or ValueError for data that JSON cannot represent.
    """
    text = {name: value for name, value in (("title", title), ("body", body)) if value}
    payload = json.dumps({**text, "data": data}, ensure_ascii=False, allow_nan=False)
    return payload.encode("utf-8", "replace")


def data_size(data: Mapping[str, object]) -> int:
    """Return the bytes of a caller's data as JSON, to be compared with DATA_LIMIT.

    Raise ValueError for a number that JSON cannot represent.
    """
    return len(json.dumps(replace_surrogates(data), ensure_ascii=False, allow_nan=False).encode())


def longest_size(data: Mapping[str, object]) -> float:
    """Return an upper bound of `data_size`, at less cost; infinite unless all values are texts."""
    length = 0
    for key, value in data.items():
        if not isinstance(value, str):
            return inf
        length += len(key) + len(value) + _ENTRY_OVERHEAD
    return length * _LONGEST_CHARACTER + _FRAME_OVERHEAD


def replace_surrogates(value: T) -> T:
    """Replace lone surrogates, which UTF-8 cannot encode, in text and in JSON at any depth."""
    return cast("T", _replace_surrogates(value))


def show_escaped_bytes(text: str) -> str:
    """Show the bytes of a name that is no UTF-8 as Windows-1252, the most common other encoding."""
    return _ESCAPED_BYTE.sub(
        lambda byte: bytes([ord(byte[0]) & 0xFF]).decode("cp1252", "replace"), text
    )


def is_encodable(text: str) -> bool:
    """Return whether UTF-8 can encode a text: it has no lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def strip_control(text: str) -> str:
    """Replace control characters except newlines and tabs, and drop direction marks."""
    if text.isprintable():  # so it has none of them
        return text
    return replace_surrogates(text).replace("\r\n", "\n").translate(_REPLACED_IN_BODY)


def strip_control_from_title(text: str) -> str:
    """Replace control characters, drop direction marks and join the lines."""
    if not text.isprintable():
        text = replace_surrogates(text).replace("\r\n", "\n").translate(_REPLACED_IN_TITLE)
    return " ".join(text.split())


def truncate_notification(title: str, body: str, data: Json) -> tuple[str, str, Json]:
    """Truncate a notification so that `encode` returns at most PAYLOAD_LIMIT bytes.

    The body is truncated first, then the title, each after a whole character and with `…`. If the
    data leaves no room for text, its largest entries are left out, and `left_out` says how many.
    """
    title = _truncate(strip_control_from_title(title), TITLE_LIMIT)
    body = _truncate(strip_control(body).strip("\n"), BODY_LIMIT)
    data = replace_surrogates(data)
    if _may_exceed(title, body, data) and len(encode(title, body, data)) > PAYLOAD_LIMIT:
        data = _drop_largest(data, PAYLOAD_LIMIT - _text_reserve(title))
        body = _truncate_bytes(body, PAYLOAD_LIMIT - len(encode(title, "x", data)) + 1)
        title = _truncate_bytes(title, PAYLOAD_LIMIT - len(encode("x", body, data)) + 1)
    return title, body, data


def _may_exceed(title: str, body: str, data: Json) -> bool:
    """Return False if a notification is small for sure; True costs an encoding."""
    texts = (len(title) + len(body)) * _LONGEST_CHARACTER
    return texts + longest_size(data) > PAYLOAD_LIMIT


def keep_end(title: str, body: str, data: Json) -> str:
    """Cut a message's body at its beginning, so that `truncate_notification` keeps its end.

    The cut is at the beginning of a line where one is near.
    """
    own: Json = {"notification_id": "0" * 36, "trigger": "socket", "priority": "default"}
    frame = encode(_truncate(title, TITLE_LIMIT), "x", data | own | {"count": "1"})
    room = min(PAYLOAD_LIMIT - len(frame), DATA_LIMIT)
    if len(body) <= BODY_LIMIT and _size(body) - 2 <= room:
        return body
    start = len(body)
    room -= _size(f"{ELLIPSIS}\n") - 2
    while len(body) - start < BODY_LIMIT - 2:
        room -= _size(body[start - 1]) - 2
        if room < 0:
            break
        start -= 1
    line = body.find("\n", start, start + _MAX_PARTIAL_LINE) + 1
    return f"{ELLIPSIS}\n{body[line:]}" if line else ELLIPSIS + body[start:]


def _text_reserve(title: str) -> int:
    """Return the bytes to reserve for the frame and the title, or its beginning."""
    return len(encode("x", "x", {})) + min(_size(title), 200)


def clip(text: str, length: int) -> str:
    """Return at most `length` characters of a text; one that is cut ends in an ellipsis."""
    return text if len(text) <= length else text[: length - 1] + ELLIPSIS


def _truncate(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1].rstrip() + ELLIPSIS


def _truncate_bytes(text: str, room: int) -> str:
    """Truncate to `room` bytes of JSON, not counting the quotes."""
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


def _replace_surrogates(value: object) -> object:
    if isinstance(value, dict) and _is_ascii(value):
        return dict(value)
    match value:
        case str():
            return value if value.isascii() else _SURROGATE.sub(_REPLACEMENT, value)
        case dict():
            return {
                _replace_surrogates(key): _replace_surrogates(item) for key, item in value.items()
            }
        case list() | tuple():
            return [_replace_surrogates(item) for item in value]
    return value


def _is_ascii(data: Json) -> bool:
    """Whether all values are texts, and they and the keys are ASCII."""
    try:
        return "".join(chain(data, cast("Iterable[str]", data.values()))).isascii()
    except TypeError:
        return False


def _drop_largest(data: Json, room: int) -> Json:
    """Drop the largest of the caller's entries until the rest takes at most `room` bytes."""
    if _size(data) <= room:
        return data
    kept, dropped = dict(data), 0
    for key in sorted(
        data.keys() - RESERVED_KEYS, key=lambda key: _size({key: data[key]}), reverse=True
    ):
        del kept[key]
        dropped += 1
        note = "1 entry too large" if dropped == 1 else f"{dropped} entries too large"
        if _size(kept | {LEFT_OUT: note}) <= room:
            break
    return kept | {LEFT_OUT: note} if dropped else kept
