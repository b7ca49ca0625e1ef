"""What came back from the API, cut down to what delivery needs: bounded, printable, token-free."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from notifyd.model.notifications import Json

TEXT_LIMIT = 200
"""Characters kept of any text that the API sent."""

_ERRORS_KEPT = 10
_FIGURE_LIMIT = 1_000_000_000
_HIDDEN = "[token]"


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """status: None when no answer came, or broke off; `fault` is then the sentence that says why.

    cause: the fault as one word. success: what the JSON said, None when it was no JSON object.
    said: the API's own error text. report: its figures, on success. retry_after, date: the headers
    as they came. elsewhere: the host that a redirect points to. asked_with: where the token stands
    that was used, for a person to mend it.
    """

    status: int | None = None
    success: bool | None = None
    said: str = ""
    report: Json | None = None
    retry_after: str = ""
    date: str = ""
    elsewhere: str = ""
    fault: str = ""
    cause: str = ""
    asked_with: str = ""


def read(
    status: int, headers: Mapping[str, str], body: bytes | None, *, secret: str, asked_with: str
) -> ApiResponse:
    """Make an Answer of a response; `body` is None when it was too long or never came whole."""
    fields = _fields(body)
    good = fields is not None and fields.get("success") is True
    return ApiResponse(
        status=status,
        success=None if fields is None else good,
        said="" if fields is None else _said(fields, secret),
        report=_report(fields, secret) if fields is not None and good else None,
        retry_after=headers.get("Retry-After", ""),
        date=headers.get("Date", ""),
        elsewhere=clean(_host(headers.get("Location", "")), secret),
        asked_with=asked_with,
    )


def clean(text: str, secret: str = "") -> str:
    """Hide the token, make every character printable, cut at TEXT_LIMIT."""
    shown = "".join(char if char.isprintable() else " " for char in text)
    if secret:
        shown = shown.replace(secret, _HIDDEN)
    shown = " ".join(shown.split())
    return shown if len(shown) <= TEXT_LIMIT else shown[: TEXT_LIMIT - 1] + "…"


def _fields(body: bytes | None) -> Json | None:
    try:
        value = json.loads(body or b"")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _said(fields: Json, secret: str) -> str:
    """Find the error's text in the API's older and newer shapes."""
    for name in ("error", "message", "detail", "details", "code"):
        value = fields.get(name)
        if isinstance(value, dict):
            value = value.get("message") or value.get("code")
        if isinstance(value, str) and (text := clean(value, secret)):
            return text
    return ""


def _report(fields: Json, secret: str) -> Json:
    report: Json = {}
    for name in ("delivered", "failed", "devices"):
        if (figure := _figure(fields.get(name))) is not None:
            report[name] = figure
    for name in ("skipped", "reason", "detail"):
        value = fields.get(name)
        if isinstance(value, str) and value:
            report[name] = clean(value, secret)
        elif isinstance(value, bool):
            report[name] = value
        elif (figure := _figure(value)) is not None:
            report[name] = figure
    errors = fields.get("errors")
    if isinstance(errors, list) and errors:
        kept = [entry for entry in errors if isinstance(entry, dict)][:_ERRORS_KEPT]
        report["errors"] = [_error(entry, secret) for entry in kept]
    return report


def _error(entry: Json, secret: str) -> Json:
    error: Json = {
        name: clean(value, secret)
        for name in ("code", "message")
        if isinstance(value := entry.get(name), str)
    }
    if (count := _figure(entry.get("count"))) is not None:
        error["count"] = count
    return error


def _figure(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if 0 <= value <= _FIGURE_LIMIT else None


def _host(location: str) -> str:
    try:
        return urlsplit(location).hostname or ""
    except ValueError:
        return ""
