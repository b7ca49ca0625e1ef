"""Responses: JSON in UTF-8, never cached."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

from aiohttp import web

from notifyd.http.errors import HttpError
from notifyd.model.notifications import Json

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
HEADERS = {"Server": "notifyd", "Cache-Control": "no-store"}
"""Headers of every response."""

_JSON = {"Content-Type": "application/json"}
_ENCODER = json.JSONEncoder(ensure_ascii=False)


def json_response(
    body: Json, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] = _NO_HEADERS
) -> web.Response:
    # A path or a query may contain a lone surrogate, which UTF-8 cannot encode.
    text = _ENCODER.encode(body).encode("utf-8", "replace")
    return web.Response(status=status, body=text, headers={**HEADERS, **_JSON, **headers})


def success(**fields: object) -> web.Response:
    """Return a 200 with `{"success": true}` and further fields."""
    return json_response({"success": True, **fields})


def content_response(
    body: bytes, content_type: str, headers: Mapping[str, str] = _NO_HEADERS
) -> web.Response:
    """Return a response that is not JSON."""
    return web.Response(body=body, headers={**HEADERS, "Content-Type": content_type, **headers})


def error_response(error: HttpError) -> web.Response:
    return json_response(error.body, error.status, error.headers)


def raw_error_response(error: HttpError) -> bytes:
    """Return a whole response as bytes, for a connection without a complete request."""
    body = json.dumps(error.body).encode()
    lines = [
        f"HTTP/1.1 {error.status.value} {error.status.phrase}",
        *(f"{name}: {value}" for name, value in (HEADERS | _JSON | dict(error.headers)).items()),
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
