"""Replies of the scripted platform, and how it can fail."""

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal

SENT = {"success": True, "delivered": 1, "failed": 0, "devices": 1}
Fault = Literal["", "hang", "drip", "huge", "reset_before", "reset_during"]


@dataclass(frozen=True)
class Reply:
    """The answer to one request. delay: seconds before it, or between the bytes of a drip."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    fault: Fault = ""


def ok(**changes) -> Reply:
    """Success; `changes` replace or add fields: ok(devices=0), ok(success=False, error="…")."""
    return Reply(body=json.dumps(SENT | changes).encode())


def slow(delay: float) -> Reply:
    """Succeed, but only `delay` seconds later."""
    return Reply(body=json.dumps(SENT).encode(), delay=delay)


def status(code: int, error: str = "", body: bytes | None = None, **headers) -> Reply:
    """Any status with the API's error JSON, or `body`; status(429, Retry_After=2) adds a header."""
    said = {"success": False, "error": error or HTTPStatus(code).phrase}
    named = {name.replace("_", "-"): str(value) for name, value in headers.items()}
    return Reply(code, json.dumps(said).encode() if body is None else body, named)


def html(code: int = 200) -> Reply:
    page = b"<!doctype html><title>Gateway</title><h1>It does not work</h1>"
    return Reply(code, page, {"Content-Type": "text/html"})


def garbled() -> Reply:
    """Return incomplete JSON."""
    return Reply(body=b'{"success": tru')


def redirect(location: str, code: int = 307) -> Reply:
    return Reply(code, b"", {"Location": location})


def hang() -> Reply:
    """Take the request and never answer."""
    return Reply(fault="hang")


def drip(delay: float = 0.02) -> Reply:
    """Send the head, then one byte of the body every `delay` seconds, without end."""
    return Reply(delay=delay, fault="drip")


def huge(code: int = 200) -> Reply:
    """Send 1 GiB of body, as long as the client takes it."""
    return Reply(code, fault="huge")


def reset_before() -> Reply:
    """Reset the connection (RST) once the request is read."""
    return Reply(fault="reset_before")


def reset_during() -> Reply:
    """Reset the connection in the middle of a successful answer's body."""
    return Reply(body=json.dumps(SENT).encode(), fault="reset_during")
