"""Webhooks of the platform, which are authenticated by a signature instead of a token.

The platform does not document which bytes it signs or how it writes the signature. Assumed is an
HMAC-SHA256 of the raw body, in hexadecimal or base64, with or without the prefix `sha256=`.
"""

import hmac
import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from http import HTTPStatus

from aiohttp import web
from pydantic import ConfigDict, SecretStr

from notifyd.api.answers import WebhookAnswer
from notifyd.api.control import Control, Webhook
from notifyd.http.errors import HttpError, not_found
from notifyd.http.open_connections import RemoteClient
from notifyd.http.operations import Operation
from notifyd.http.request import Request
from notifyd.http.responses import success
from notifyd.http.routing import HttpRoute
from notifyd.http.schemas import RequestSchema, parse_json
from notifyd.model.notifications import Json

_SIGNATURE = "X-Webhook-Signature"
_ID_HEADERS = ("X-Webhook-Id", "X-Webhook-Delivery")
_REMEMBER_ID = 86_400.0
"""Seconds during which the same delivery id is a duplicate."""
_REMEMBER_BODY = 600.0
"""Seconds during which the same body, without a delivery id, is a duplicate."""

_SUBJECT_KEYS = ("name", "workload_id", "workspace_id", "vm_id", "namespace", "id")
"""Keys whose values say what an event is about, the best one first."""

_MOST_FIELDS = 64
"""Values of the body that become fields."""
_LONGEST_FIELD = 300
"""Characters of each field."""
_LONGEST_BODY = 1500
"""Characters of the body that a notification shows."""


class WebhookBody(RequestSchema):
    """Any JSON object. Its event name is `event` or `type`; its details may be in `data`."""

    model_config = ConfigDict(extra="allow")

    event: str | None = None
    type: str | None = None
    id: str | int | None = None


_RECEIVE = Operation(
    "Receive an event of the platform, signed in X-Webhook-Signature",
    body=WebhookBody,
    answers={HTTPStatus.OK: WebhookAnswer},
    errors=(HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND),
)


class WebhookRoutes:
    """read_secret: returns the secret in force; None without `[webhooks] secret_file`."""

    def __init__(self, control: Control, read_secret: Callable[[], SecretStr | None]) -> None:
        self._control = control
        self._read_secret = read_secret

    def routes(self) -> list[HttpRoute[RemoteClient]]:
        return [HttpRoute("POST", "/webhooks/oblien", self._receive, operation=_RECEIVE)]

    async def _receive(self, request: Request[RemoteClient]) -> web.Response:
        secret = self._read_secret()
        if secret is None:
            raise not_found("no webhooks are received; set [webhooks] secret_file")
        raw = await request.body()
        if not is_signed(raw, request.headers.get(_SIGNATURE, ""), secret.get_secret_value()):
            sentence = f"wrong or missing signature in {_SIGNATURE}"
            raise HttpError(HTTPStatus.UNAUTHORIZED, "wrong_signature", sentence)
        webhook = _webhook(parse_json(WebhookBody, raw), raw, request)
        is_new = await self._control.receive_webhook(webhook)
        return success(duplicate=not is_new)


def is_signed(body: bytes, signature: str, secret: str) -> bool:
    """Return whether a signature is that of the body. The comparison takes constant time."""
    given = signature.strip().removeprefix("sha256=")
    expected = hmac.digest(secret.encode(), body, sha256)
    matches = [hmac.compare_digest(candidate, expected) for candidate in _decoded(given)]
    return any(matches)


def _decoded(text: str) -> Iterator[bytes]:
    """Yield the bytes that a text encodes in hexadecimal, and in base64."""
    with suppress(ValueError):
        yield bytes.fromhex(text)
    with suppress(ValueError):  # binascii.Error is one
        yield b64decode(text, validate=True)


def _webhook(body: WebhookBody, raw: bytes, request: Request[RemoteClient]) -> Webhook:
    name = body.event or body.type
    if not name:
        sentence = "event: is required; it names what happened"
        raise HttpError(HTTPStatus.UNPROCESSABLE_ENTITY, "validation_error", sentence)
    values = body.model_dump(exclude_unset=True)
    headers = (request.headers.get(header) for header in _ID_HEADERS)
    delivery = next(filter(None, headers), None) or body.id
    if delivery is not None:
        key, remember = f"id:{_digest(str(delivery).encode())}", _REMEMBER_ID
    else:
        key, remember = f"body:{_digest(raw)}", _REMEMBER_BODY
    subject = _subject(values)
    return Webhook(
        name=name,
        line=f"{name}: {subject}" if subject else name,
        fields=dict(_fields(values)),
        text=json.dumps(values, ensure_ascii=False, indent=2)[:_LONGEST_BODY],
        key=key,
        remember=remember,
    )


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()


def _subject(values: Json) -> str:
    """Return the name or id of what an event is about; empty if the body has none."""
    details = values.get("data")
    for table in (details if isinstance(details, dict) else {}, values):
        for key in _SUBJECT_KEYS:
            if isinstance(value := table.get(key), (str, int)) and value != "":
                return str(value)[:_LONGEST_FIELD]
    return ""


def _fields(values: Json) -> Iterator[tuple[str, str]]:
    """Yield the values by dotted paths, the shallow ones first, up to a number of them."""
    count = 0
    tables: list[tuple[str, Json]] = [("", values)]
    while tables:
        prefix, table = tables.pop(0)
        for key, value in table.items():
            if isinstance(value, dict):
                tables.append((f"{prefix}{key}.", value))
                continue
            if count == _MOST_FIELDS:
                return
            count += 1
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield f"{prefix}{key}", text[:_LONGEST_FIELD]
