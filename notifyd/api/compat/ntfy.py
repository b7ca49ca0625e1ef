"""The publishing API of ntfy: `POST` or `PUT /TOPIC`, `GET /TOPIC/publish`, and JSON to `/`.

The topic, the tags and the links become entries of `data`. Icons, actions, files, e-mail addresses
and phone numbers are accepted and ignored. Source of the forms and answers:
https://docs.ntfy.sh/publish/
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from email.errors import MessageError
from email.header import decode_header, make_header
from http import HTTPStatus
from typing import Annotated, ClassVar

from aiohttp import web
from pydantic import ConfigDict, Field

from notifyd.api.auth import ApiCaller
from notifyd.api.compat.ntfy_delay import parse_delay
from notifyd.api.compat.publisher import Publisher
from notifyd.api.schemas import LONGEST_DELAY
from notifyd.http.errors import HttpError, not_found, printable, to_http_error
from notifyd.http.operations import Operation
from notifyd.http.request import Request
from notifyd.http.responses import json_response
from notifyd.http.routing import HttpRoute
from notifyd.http.schemas import RequestSchema, SchemaErrors
from notifyd.model.errors import NotifydError
from notifyd.model.notifications import Json, Priority
from notifyd.text.durations import format_duration
from notifyd.text.limits import show_escaped_bytes

OWN_WORDS = frozenset(
    {"healthz", "message", "metrics", "notifications", "ping", "v1", "version", "webhooks"}
)
"""First parts of notifyd's own paths, which are no topics."""

_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PUBLISH_BY_GET = ("publish", "send", "trigger")
_SUBSCRIBE = ("json", "sse", "raw", "ws", "auth")

_NAMES = {
    "title": ("x-title", "title", "t"),
    "message": ("x-message", "message", "m"),
    "priority": ("x-priority", "priority", "prio", "p"),
    "tags": ("x-tags", "tags", "tag", "ta"),
    "delay": ("x-delay", "delay", "x-at", "at", "x-in", "in"),
    "click": ("x-click", "click"),
    "attach": ("x-attach", "attach", "a"),
    "filename": ("x-filename", "filename", "file", "f"),
    "template": ("x-template", "template", "tpl"),
}
"""The names of each value, of headers as well as of query parameters; the first one counts."""

_HTTP_PRIORITY = re.compile(r"u=[0-9](,\s*(i|[0-9]))?")
"""The header Priority of RFC 9218, which browsers and proxies add."""
_LEVELS = {
    **{priority.value: priority for priority in Priority},
    **{str(number): priority for number, priority in enumerate(Priority, 1)},
    "max": Priority.URGENT,
}
_OFF = frozenset({"", "0", "no", "false"})
_NO_MESSAGE = "triggered"
"""The text of a message that has none."""

_CODES = {
    "invalid_json": 40024,
    "invalid_delay": 40004,
    "delay_too_long": 40006,
    "invalid_priority": 40007,
    "invalid_topic": 40009,
    "reserved_topic": 40010,
    "not_text": 40011,
    "no_templates": 40043,
    "unauthorized": 40101,
    "not_found": 40401,
    "not_offered": 40401,
    "too_large": 41301,
    "too_many_requests": 42901,
}
"""ntfy's numbers of errors. Any other error is the status and 00, such as 40000."""


class _Publication(RequestSchema):
    """What clients send as JSON. Other keys are accepted and ignored."""

    model_config = ConfigDict(extra="ignore")
    errors: ClassVar = SchemaErrors(invalid_json="invalid_json", invalid_field="wrong_field")

    topic: str = ""
    title: str | None = None
    message: str | None = None
    priority: Annotated[int | str | None, Field(union_mode="left_to_right")] = None
    tags: list[str] | str | None = None
    delay: Annotated[int | str | None, Field(union_mode="left_to_right")] = None
    click: str | None = None
    attach: str | None = None
    filename: str | None = None


_PUBLISH = Operation("Publish in the form of ntfy", source="https://docs.ntfy.sh/publish/")
_SUBSCRIBED = Operation(
    "Refuse to subscribe in the form of ntfy", source="https://docs.ntfy.sh/subscribe/api/"
)


class NtfyRoutes:
    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def routes(self) -> list[HttpRoute[ApiCaller]]:
        """Return the routes, which come after all others: their paths begin with any topic."""
        return [
            *(
                HttpRoute(method, "/", self._publish_json, operation=_PUBLISH)
                for method in ("POST", "PUT")
            ),
            *(
                HttpRoute(method, "/{topic}", self._publish, operation=_PUBLISH)
                for method in ("POST", "PUT")
            ),
            *(
                HttpRoute(
                    "GET", f"/{{topic}}/{word}", self._publish, head=False, operation=_PUBLISH
                )
                for word in _PUBLISH_BY_GET
            ),
            *(
                HttpRoute("GET", f"/{{topic}}/{word}", self._subscribe, operation=_SUBSCRIBED)
                for word in _SUBSCRIBE
            ),
        ]

    async def _publish(self, request: Request[ApiCaller]) -> web.Response:
        try:
            await self._publisher.count(request.client)
            topic = _check_topic(request.parameters["topic"], HTTPStatus.NOT_FOUND)
            values = _read_values(request)
            body = await request.body() if request.has_body else b""
            values["message"] = _message(body, values)
            return await self._submit(request.client, topic, values)
        except NotifydError as error:
            return error_response(to_http_error(error, is_admin=request.client.admin))

    async def _publish_json(self, request: Request[ApiCaller]) -> web.Response:
        """Publish JSON. Headers say what it leaves out, because some clients send both."""
        try:
            await self._publisher.count(request.client)
            publication = await request.json(_Publication, any_content_type=True)
            topic = _check_topic(publication.topic, HTTPStatus.BAD_REQUEST)
            values = _read_values(request) | dict(_written_values(publication))
            return await self._submit(request.client, topic, values)
        except NotifydError as error:
            return error_response(to_http_error(error, is_admin=request.client.admin))

    async def _subscribe(self, request: Request[ApiCaller]) -> web.Response:
        topic = printable(request.parameters["topic"])
        sentence = f"messages to {topic!r} go to your devices; topics cannot be subscribed to here"
        return error_response(HttpError(HTTPStatus.NOT_FOUND, "not_offered", sentence))

    async def _submit(self, caller: ApiCaller, topic: str, values: dict[str, str]) -> web.Response:
        if values.get("template", "").lower() not in _OFF:
            sentence = "X-Template: templates are not offered; send the finished text"
            raise HttpError(HTTPStatus.BAD_REQUEST, "no_templates", sentence)
        priority = _parse_priority(values.get("priority", ""))
        delay = self._parse_delay(values.get("delay", ""))
        title, message = values.get("title", ""), values.get("message", "")
        if not title.strip() and not message.strip():
            message = _NO_MESSAGE
        tags = [tag.strip() for tag in values.get("tags", "").split(",") if tag.strip()]
        links = {"url": values.get("click"), "attach": values.get("attach")}
        data: Json = {"topic": topic}
        data |= {name: value for name, value in ({"tags": tags} | links).items() if value}
        accepted = await self._publisher.submit(
            caller,
            {"title": title, "body": message, "data": data, "priority": priority},
            delay=delay,
        )
        answer: Json = {
            "id": accepted.id,
            "time": int(self._publisher.wall() + delay),
            "expires": int(accepted.expires),
            "event": "message",
            "topic": topic,
        }
        shown: Json = {
            "title": title,
            "message": message,
            "priority": None if priority is None else priority.rank + 1,
            "tags": tags,
            "click": values.get("click"),
        }
        return json_response(answer | {name: value for name, value in shown.items() if value})

    def _parse_delay(self, text: str) -> float:
        if not text:
            return 0.0
        try:
            delay = parse_delay(text, self._publisher.wall())
        except (ValueError, OverflowError, OSError) as error:
            reason = str(error) if isinstance(error, ValueError) else "is not a time"
            sentence = f"delay: {reason} (got {printable(text)!r})"
            raise HttpError(HTTPStatus.BAD_REQUEST, "invalid_delay", sentence) from None
        if delay > LONGEST_DELAY:
            limit = format_duration(LONGEST_DELAY)
            sentence = f"delay: must be at most {limit} (got {printable(text)!r})"
            raise HttpError(HTTPStatus.BAD_REQUEST, "delay_too_long", sentence)
        return delay


def error_response(error: HttpError) -> web.Response:
    """Return an error in ntfy's form; its clients know no 422."""
    status = error.status
    if status is HTTPStatus.UNPROCESSABLE_ENTITY:
        status = HTTPStatus.BAD_REQUEST
    code = _CODES.get(error.code, status * 100)
    body: Json = {"code": code, "http": status.value, "error": str(error)}
    return json_response(body, status, error.headers)


def _check_topic(topic: str, invalid: HTTPStatus) -> str:
    """Return the topic; HttpError for a word of notifyd's own paths or, `invalid`, for no topic."""
    if topic in OWN_WORDS:
        sentence = f"{topic!r} is the beginning of a path of notifyd's own; use another topic"
        raise HttpError(HTTPStatus.BAD_REQUEST, "reserved_topic", sentence)
    if _TOPIC.fullmatch(topic):
        return topic
    sentence = (
        f"invalid topic {printable(topic)!r}: use 1 to 64 letters, digits, hyphens and underscores"
    )
    if invalid is HTTPStatus.NOT_FOUND:
        raise not_found(sentence)
    raise HttpError(invalid, "invalid_topic", sentence)


def _read_values(request: Request[ApiCaller]) -> dict[str, str]:
    """Return the values that headers and query parameters say; those of headers count first."""
    values: dict[str, str] = {}
    for key, names in _NAMES.items():
        given = (_decode_header(name, request.headers.get(name, "")) for name in names)
        asked = (request.http.query.get(name, "").strip() for name in names)
        if value := next(filter(None, given), "") or next(filter(None, asked), ""):
            values[key] = value
    if "message" in values:
        values["message"] = values["message"].replace("\\n", "\n")
    return values


def _decode_header(name: str, value: str) -> str:
    """Return a header's text: UTF-8, Windows-1252, or encoded words of RFC 2047."""
    text = show_escaped_bytes(value).strip()
    if "=?" in text:
        with suppress(MessageError, LookupError, ValueError):  # it only looks like encoded words
            text = str(make_header(decode_header(text))).strip()
    return "" if name == "priority" and _HTTP_PRIORITY.fullmatch(text) else text


def _written_values(publication: _Publication) -> Iterator[tuple[str, str]]:
    """Yield the values that JSON says."""
    for key in _NAMES.keys() & _Publication.model_fields.keys():
        value = getattr(publication, key)
        if isinstance(value, list):
            value = ",".join(value)
        if value:  # 0 is the priority of clients that have none
            yield key, str(value)


def _message(body: bytes, values: dict[str, str]) -> str:
    """Return the text of a message. A file beside it is left out; a text as a file is the text.

    HttpError (400) for a body that is no text.
    """
    given = values.get("message", "")
    if given and "filename" in values:
        return given
    try:
        return body.decode().strip() or given
    except UnicodeDecodeError:
        if given:
            return given
    sentence = "the body is not text in UTF-8; files are not sent on"
    raise HttpError(HTTPStatus.BAD_REQUEST, "not_text", sentence)


def _parse_priority(text: str) -> Priority | None:
    """Return a priority; None for none."""
    if not text:
        return None
    if priority := _LEVELS.get(text.strip().lower()):
        return priority
    sentence = (
        f"priority: use 1 to 5, or min, low, default, high, max or urgent (got {printable(text)!r})"
    )
    raise HttpError(HTTPStatus.BAD_REQUEST, "invalid_priority", sentence)
