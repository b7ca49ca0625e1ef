"""The publishing API of gotify: `POST /message`, as JSON or as a form.

The link that a click opens becomes `url` in `data`; other extras are accepted and ignored. Source
of the forms and answers: https://gotify.net/api-docs
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import collapse_rfc2231_value
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated, ClassVar
from urllib.parse import parse_qsl

from aiohttp import web
from pydantic import ConfigDict, Field

from notifyd.api.auth import ApiCaller
from notifyd.api.compat.publisher import Publisher
from notifyd.http.errors import HttpError, bad_request, to_http_error
from notifyd.http.operations import Operation
from notifyd.http.request import Request
from notifyd.http.responses import json_response
from notifyd.http.routing import HttpRoute
from notifyd.http.schemas import RequestSchema, SchemaErrors, parse_json, validate
from notifyd.model.errors import NotifydError
from notifyd.model.notifications import Json, Priority

PATH = "/message"

_MOST_FIELDS = 100
_LEVELS = ((0, Priority.MIN), (3, Priority.LOW), (7, Priority.DEFAULT), (9, Priority.HIGH))
"""The highest number of each priority. What is above is urgent."""
_DEFAULT_LEVEL = 5
_ID_BYTES = 6
"""A number of so many bytes is exact in every JSON parser."""


class _Publication(RequestSchema):
    """What clients send. Other keys are accepted and ignored."""

    model_config = ConfigDict(extra="ignore")
    errors: ClassVar = SchemaErrors(invalid_field="wrong_field")

    message: Annotated[str, Field(min_length=1)]
    title: str | None = None
    priority: Annotated[int | None, Field(ge=-(2**31), lt=2**31)] = None
    extras: Json | None = None


class _Form(_Publication):
    """The same as a form, where all values are text."""

    priority: Annotated[int | None, Field(ge=-(2**31), lt=2**31, strict=False)] = None


_MESSAGE = Operation("Send in the form of Gotify", source="https://gotify.net/docs/pushmsg")


class GotifyRoutes:
    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def routes(self) -> list[HttpRoute[ApiCaller]]:
        return [HttpRoute("POST", PATH, self._answer, operation=_MESSAGE)]

    async def _answer(self, request: Request[ApiCaller]) -> web.Response:
        try:
            await self._publisher.count(request.client)
            return await self._publish(request.client, await _read(request))
        except NotifydError as error:
            return error_response(to_http_error(error, is_admin=request.client.admin))

    async def _publish(self, caller: ApiCaller, publication: _Publication) -> web.Response:
        link = _link(publication.extras or {})
        accepted = await self._publisher.submit(
            caller,
            {
                "title": publication.title,
                "body": publication.message,
                "data": {"url": link} if link else {},
                "priority": _priority(publication.priority),
            },
        )
        level = _DEFAULT_LEVEL if publication.priority is None else publication.priority
        answer: Json = {
            "id": _number(accepted.id),
            "appid": 1,
            "message": publication.message,
            "title": publication.title or "",
            "priority": level,
            "date": datetime.fromtimestamp(self._publisher.wall(), UTC).isoformat(),
            "notification_id": accepted.id,
        }
        if publication.extras:
            answer["extras"] = publication.extras
        return json_response(answer)


def error_response(error: HttpError) -> web.Response:
    """Return an error in gotify's form; its clients know no 422."""
    status = error.status
    if status is HTTPStatus.UNPROCESSABLE_ENTITY:
        status = HTTPStatus.BAD_REQUEST
    body: Json = {
        "error": status.phrase,
        "errorCode": status.value,
        "errorDescription": str(error),
    }
    return json_response(body, status, error.headers)


async def _read(request: Request[ApiCaller]) -> _Publication:
    """Read JSON, whatever it says it is, or a form, completed by the query."""
    raw = await request.body() if request.has_body else b""
    kind = request.media_type
    if kind == "application/json" or raw.lstrip().startswith(b"{"):
        return parse_json(_Publication, raw)
    fields = dict(request.http.query)
    if kind == "multipart/form-data":
        try:
            fields |= dict(_multipart_fields(raw, request.headers.get("Content-Type", "")))
        except (TypeError, ValueError):  # the parser of e-mail fails on such parameters
            raise bad_request("the form has headers with malformed parameters") from None
    else:
        fields |= dict(_url_encoded_fields(raw))
    fields = {name: value for name, value in fields.items() if value and name != "extras"}
    return validate(_Form, fields)


def _url_encoded_fields(raw: bytes) -> list[tuple[str, str]]:
    try:
        text = raw.decode("utf-8", "replace")
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise bad_request(f"the form has more than {_MOST_FIELDS} fields") from None


def _multipart_fields(raw: bytes, content_type: str) -> Iterator[tuple[str, str]]:
    """Yield the fields of a form, in the encoding that `curl -F` uses. Source: RFC 7578."""
    announced = Message()
    announced["Content-Type"] = content_type
    boundary = announced.get_boundary("").encode("utf-8", "surrogateescape")
    parts = (b"\r\n" + raw).split(b"\r\n--" + boundary, _MOST_FIELDS + 1)
    if not boundary or len(parts) == 1:
        raise bad_request("the form has no part that its boundary announces")
    if len(parts) > _MOST_FIELDS + 1:
        raise bad_request(f"the form has more than {_MOST_FIELDS} fields")
    for part in parts[1:]:
        head, found, value = part.partition(b"\r\n\r\n")
        if found and (name := _field_name(head.lstrip(b" \t\r\n"))):
            yield name, value.decode("utf-8", "replace")


def _field_name(head: bytes) -> str:
    headers = BytesHeaderParser().parsebytes(head)
    name = headers.get_param("name", "", header="content-disposition")
    return collapse_rfc2231_value(name) if name else ""


def _link(extras: Json) -> str:
    """Return the link that a click on the notification opens; empty if there is none."""
    value: object = extras
    for key in ("client::notification", "click", "url"):
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def _priority(level: int | None) -> Priority:
    if level is None:
        return Priority.DEFAULT
    return next((priority for most, priority in _LEVELS if level <= most), Priority.URGENT)


def _number(notification_id: str) -> int:
    """Return a number that stands for an id, because the ids of gotify are numbers."""
    return int.from_bytes(sha256(notification_id.encode()).digest()[:_ID_BYTES])
