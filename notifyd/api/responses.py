"""Answers as bytes: JSON but for the metrics, always UTF-8."""

import json

from aiohttp import web

from notifyd.api.errors import ApiError
from notifyd.model.notifications import Json

_HEADERS = {"Server": "notifyd", "Content-Type": "application/json"}
_METRICS = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
_ENCODER = json.JSONEncoder(ensure_ascii=False)


def answered(refusal: ApiError) -> web.Response:
    return json_response(refusal.status, refusal.body, refusal.headers)


def json_response(status: int, body: Json, headers: dict[str, str] | None = None) -> web.Response:
    # Lone surrogates can come from a path or a query; an answer is always UTF-8.
    text = _ENCODER.encode(body).encode("utf-8", "replace")
    return web.Response(
        status=status,
        body=text,
        headers={**_HEADERS, **(headers or {})},
    )


def response(status: int, body: Json | bytes) -> web.Response:
    if isinstance(body, bytes):
        return web.Response(status=status, body=body, headers={**_HEADERS, **_METRICS})
    return json_response(status, body)


def raw(refusal: ApiError) -> bytes:
    """Write a whole answer for a connection on which no request could be read."""
    body = json.dumps(refusal.body).encode()
    head = (
        f"HTTP/1.1 {refusal.status.value} {refusal.status.phrase}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\nServer: notifyd\r\n"
    )
    head += "".join(f"{name}: {value}\r\n" for name, value in (refusal.headers or {}).items())
    return head.encode() + b"\r\n" + body
