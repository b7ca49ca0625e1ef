"""Reading an answer of the platform: its envelope in both forms, and its errors."""

import json
from collections.abc import Mapping
from typing import Any

from notifyd.http.retry_after import retry_after_seconds
from notifyd.platform.errors import (
    BY_STATUS,
    AnswerFacts,
    PlatformError,
    RateLimitedError,
    ServerError,
    UnsuccessfulError,
)
from notifyd.text.limits import clip

Answer = Any
"""What the platform sends, as `json.loads` gives it; the reference documents no answer in full."""

_REQUEST_ID_HEADERS = ("X-Request-Id", "X-Request-ID", "Request-Id")
_SHORTEST_SECRET = 8
"""Characters: masking a shorter text would garble the message and protect nothing."""
_TEXT_LIMIT = 300
"""Characters of an error's text that are kept."""


def read_answer(
    status: int, headers: Mapping[str, str], body: bytes, *, wall: float, secret: str = ""
) -> Answer:
    """Give what an answer carries, without the envelope.

    That is `data` where the envelope has it, else the object without `success`. wall: the time of
    the answer, for a Retry-After that is a date. secret: masked in whatever an error says.

    Raises the PlatformError for the status, and UnsuccessfulError for a 2xx that says
    `success: false` or is not JSON. An empty 2xx is an empty object.
    """
    content = _parsed(body)
    if 200 <= status < 300:  # noqa: PLR2004 - the class of statuses that means success
        if content is _NOT_JSON:
            raise UnsuccessfulError(
                f"the platform answered {status}, but not with JSON: check [api] url",
                status=status,
                request_id=_request_id({}, headers),
            )
        if not isinstance(content, dict):
            return content
        if content.get("success", True) is not False:
            return _unwrapped(content)
    fields = content if isinstance(content, dict) else {}
    raise _error(status, headers, fields, wall, secret)


_NOT_JSON = object()


def _parsed(body: bytes) -> Any:
    if not body.strip():
        return {}
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return _NOT_JSON


def _unwrapped(content: dict[str, Any]) -> Answer:
    if "success" in content and "data" in content:
        return content["data"]
    return {name: value for name, value in content.items() if name != "success"}


def _error(
    status: int, headers: Mapping[str, str], fields: dict[str, Any], wall: float, secret: str
) -> PlatformError:
    nested = fields.get("error")
    inner = nested if isinstance(nested, dict) else {}
    text = inner.get("message") or (nested if isinstance(nested, str) else fields.get("message"))
    said = _shown(text, secret)
    kind = BY_STATUS.get(status)
    facts: AnswerFacts = {
        "status": status,
        "code": _shown(inner.get("code") or fields.get("code"), secret),
        "details": inner.get("details", fields.get("details")),
        "request_id": _request_id(fields, headers),
    }
    sentence = f"the platform answered {status}" + (f": {said}" if said else "")
    if 200 <= status < 300:  # noqa: PLR2004 - the class of statuses that means success
        sentence = f"the platform answered {status} without success" + (f": {said}" if said else "")
        return UnsuccessfulError(sentence, **facts)
    if kind is not None:
        return kind(sentence, **facts)
    wait = retry_after_seconds(headers.get("Retry-After", ""), wall, headers.get("Date", ""))
    if status == 429:  # noqa: PLR2004 - Too Many Requests
        return RateLimitedError(sentence, retry_after=wait, **facts)
    if status >= 500:  # noqa: PLR2004 - the server's own errors
        return ServerError(sentence, retry_after=wait, **facts)
    return PlatformError(sentence, **facts)


def _request_id(fields: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    for name in ("requestId", "request_id"):
        if isinstance(fields.get(name), str):
            return _shown(fields[name])
    return _shown(next((headers[name] for name in _REQUEST_ID_HEADERS if name in headers), ""))


def _shown(value: object, secret: str = "") -> str:
    """Make a text of the platform's printable, bounded and free of our secret."""
    if not isinstance(value, str):
        return ""
    text = "".join(char if char.isprintable() else " " for char in value)
    if len(secret) >= _SHORTEST_SECRET:
        text = text.replace(secret, "[secret]")
    text = " ".join(text.split())
    return clip(text, _TEXT_LIMIT)
