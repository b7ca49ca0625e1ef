"""A response of the API, reduced to what delivery needs: bounded, printable, without the token."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from notifyd.model.notifications import Json
from notifyd.text.limits import clip

TEXT_LIMIT = 200
"""Characters kept of any text from the API."""

_MAX_ERRORS = 10
_MAX_FIGURE = 1_000_000_000
_TOKEN_MASK = "[token]"  # noqa: S105 - stands where a token was


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """One response, or the failure to get one.

    status: None if there was no complete response; then `fault` says why in a sentence, and
    `cause` in one word. success: the field of that name, None if the body is no JSON object.
    error: the API's own error text. report: its figures, on success. retry_after, date: the
    headers as sent. redirect_host: where a redirect leads. token_name: where the token is stored.
    """

    status: int | None = None
    success: bool | None = None
    error: str = ""
    report: Json | None = None
    retry_after: str = ""
    date: str = ""
    redirect_host: str = ""
    fault: str = ""
    cause: str = ""
    token_name: str = ""


def parse_response(
    status: int, headers: Mapping[str, str], body: bytes | None, *, secret: str, token_name: str
) -> ApiResponse:
    """Build an ApiResponse. body: None if it was too long or incomplete. secret: is masked."""
    fields = _json_object(body)
    success = None if fields is None else fields.get("success") is True
    return ApiResponse(
        status=status,
        success=success,
        error="" if fields is None else _error_text(fields, secret),
        report=_report(fields, secret) if fields is not None and success else None,
        retry_after=headers.get("Retry-After", ""),
        date=headers.get("Date", ""),
        redirect_host=sanitize(_host(headers.get("Location", "")), secret),
        token_name=token_name,
    )


def sanitize(text: str, secret: str = "") -> str:
    """Mask the token, replace unprintable characters, and cut the text at TEXT_LIMIT."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    if secret:
        printable = printable.replace(secret, _TOKEN_MASK)
    printable = " ".join(printable.split())
    return clip(printable, TEXT_LIMIT)


def _json_object(body: bytes | None) -> Json | None:
    try:
        value = json.loads(body or b"")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _error_text(fields: Json, secret: str) -> str:
    """Find the error text in the API's older and newer shapes."""
    for name in ("error", "message", "detail", "details", "code"):
        value = fields.get(name)
        if isinstance(value, dict):
            value = value.get("message") or value.get("code")
        if isinstance(value, str) and (text := sanitize(value, secret)):
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
            report[name] = sanitize(value, secret)
        elif isinstance(value, bool):
            report[name] = value
        elif (figure := _figure(value)) is not None:
            report[name] = figure
    errors = fields.get("errors")
    if isinstance(errors, list) and errors:
        kept = [entry for entry in errors if isinstance(entry, dict)][:_MAX_ERRORS]
        report["errors"] = [_error(entry, secret) for entry in kept]
    return report


def _error(entry: Json, secret: str) -> Json:
    error: Json = {
        name: sanitize(value, secret)
        for name in ("code", "message")
        if isinstance(value := entry.get(name), str)
    }
    if (count := _figure(entry.get("count"))) is not None:
        error["count"] = count
    return error


def _figure(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if 0 <= value <= _MAX_FIGURE else None


def _host(location: str) -> str:
    try:
        return urlsplit(location).hostname or ""
    except ValueError:
        return ""
