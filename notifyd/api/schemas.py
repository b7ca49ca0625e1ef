"""What the local API's requests may carry."""

from collections.abc import Callable
from functools import cached_property
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from notifyd.api.pings import LONGEST_RUN
from notifyd.http.errors import printable
from notifyd.http.schemas import RequestSchema, SchemaErrors
from notifyd.model.notifications import Json, Message, Priority, Status
from notifyd.text.durations import format_duration, parse_duration
from notifyd.text.limits import DATA_LIMIT, data_size, longest_size
from notifyd.text.visible import visible_text

LONGEST_DELAY = 30 * 86_400.0
LONGEST_MUTE = 366 * 86_400.0
LONGEST_HISTORY = 10 * 366 * 86_400.0
LONGEST_WAIT = 60.0
LONGEST_KEY = 200
LONGEST_URL = 2000
DEEPEST_DATA = 32
DEFAULT_LISTED = 100
MOST_LISTED = 1000

_RETRIED = (Status.FAILED, Status.EXPIRED, Status.NO_DEVICE)
_CODES = ("empty", "data_too_deep", "data_too_large")


class LocalRequest(RequestSchema):
    """Unknown fields are refused, because most are misspelt. null means left out."""

    model_config = ConfigDict(extra="forbid")
    errors: ClassVar = SchemaErrors(
        invalid_json="bad_request",
        invalid_field="wrong_field",
        by_type={"extra_forbidden": "unknown_field"} | {code: code for code in _CODES},
    )


# --- fields

_Limit = Annotated[int, Field(ge=1, le=MOST_LISTED)]
_Text = Annotated[str | None, Field(examples=["30s", "5m", "1h30m"])]
"""The form of a duration in a request."""


def _parse_duration_up_to(longest: float) -> Callable[[object], float]:
    def parse(value: object) -> float:
        if value is None or value == "":
            return 0.0
        if not isinstance(value, str):
            raise PydanticCustomError("string_type", "must be a string")
        try:
            seconds = parse_duration(value)
        except ValueError as error:
            raise ValueError(f"{error} (got {printable(value)!r})") from None
        if seconds > longest:
            limit = format_duration(longest)
            raise ValueError(f"must be at most {limit} (got {printable(value)!r})")
        return seconds

    return parse


def _duration_up_to(longest: float) -> BeforeValidator:
    return BeforeValidator(_parse_duration_up_to(longest), json_schema_input_type=_Text)


def _check_data(data: Json | None) -> Json | None:
    if data is None or longest_size(data) <= DATA_LIMIT:
        return data
    if _is_too_deep(data):
        limit = f"must be nested at most {DEEPEST_DATA} levels deep"
        raise PydanticCustomError("data_too_deep", limit)
    try:
        size = data_size(data)
    except ValueError:
        raise ValueError("holds a number that is not finite") from None
    if size > DATA_LIMIT:
        limit = (
            f"must take at most {DATA_LIMIT} bytes as JSON, the limit of phones' push services"
            f" (got {size})"
        )
        raise PydanticCustomError("data_too_large", limit)
    return data


def _is_too_deep(data: Json) -> bool:
    """Count the levels one by one, without recursion."""
    level: list[object] = [data]
    for _ in range(DEEPEST_DATA):
        level = [child for value in level for child in _nested(value)]
        if not level:
            return False
    return True


def _nested(value: object) -> list[object]:
    """Return the objects and lists directly inside a JSON value."""
    match value:
        case dict():
            children = list(value.values())
        case list():
            children = value
        case _:
            children = []
    return [child for child in children if isinstance(child, (dict, list))]


def _parse_limit(value: object) -> int:
    text = str(value)
    short = text.isascii() and text.isdigit() and len(text) <= len(str(MOST_LISTED))
    if not short or not 1 <= int(text) <= MOST_LISTED:
        raise ValueError(f"must be between 1 and {MOST_LISTED} (got {printable(text)!r})")
    return int(text)


def _check_retried(status: Status) -> Status:
    if status not in _RETRIED:
        raise ValueError(f"must be one of {', '.join(_RETRIED)} (got {status.value!r})")
    return status


def _check_url(url: str | None) -> str | None:
    if url and not url.lower().startswith(("http://", "https://")):
        raise ValueError(f"must begin with http:// or https:// (got {printable(url)!r})")
    return url


Key = Annotated[str, Field(max_length=LONGEST_KEY)]
Link = Annotated[str | None, Field(max_length=LONGEST_URL), AfterValidator(_check_url)]
AnyStatus = Annotated[Status, Field(strict=False)]
AnyPriority = Annotated[Priority, Field(strict=False)]


# --- bodies


class Submission(LocalRequest):
    """A notification to be sent, with the visible text of its title and body.

    url: a link to open, sent as the entry `url` of data. delay: seconds.
    """

    title: str | None = None
    body: str | None = None
    message_: Annotated[str | None, Field(alias="message")] = None
    data: Annotated[Json | None, AfterValidator(_check_data)] = None
    url: Link = None
    priority: AnyPriority | None = None
    key: Key | None = None
    delay: Annotated[float, _duration_up_to(LONGEST_DELAY)] = 0.0

    @model_validator(mode="after")
    def _check_text(self) -> Self:
        if self.body and self.message_:
            raise ValueError("message: cannot be combined with `body`, which means the same")
        if self.url and self.data and "url" in self.data:
            raise ValueError("url: cannot be combined with `data.url`, which means the same")
        _check_data(self.message.data)
        if not self.message.title.strip() and not self.message.body.strip():
            raise PydanticCustomError("empty", "title, body: at least one of them must have text")
        return self

    @cached_property
    def message(self) -> Message:
        body = self.body or self.message_ or ""
        data = {**(self.data or {}), **({"url": self.url} if self.url else {})}
        return Message(visible_text(self.title or ""), visible_text(body), data)


class MuteRequest(LocalRequest):
    """A trigger to be muted, empty for all. seconds: 0 ends a mute."""

    trigger: str | None = None
    seconds: Annotated[float, _duration_up_to(LONGEST_MUTE), Field(alias="for")]


# --- queries


class NoParameters(LocalRequest):
    pass


class SendParameters(LocalRequest):
    """wait: seconds."""

    wait: Annotated[float, _duration_up_to(LONGEST_WAIT)] = 0.0


class ListParameters(LocalRequest):
    """since: age in seconds of the oldest notification to list; 0 for any age."""

    limit: Annotated[int, BeforeValidator(_parse_limit, json_schema_input_type=_Limit)] = (
        DEFAULT_LISTED
    )
    status: AnyStatus | None = None
    trigger: str = ""
    since: Annotated[float, _duration_up_to(LONGEST_HISTORY)] = 0.0


class CancelParameters(LocalRequest):
    key: Annotated[str, Field(min_length=1)]


class RetryParameters(LocalRequest):
    status: Annotated[AnyStatus, AfterValidator(_check_retried)] | None = None


class PingParameters(LocalRequest):
    """rid: pairs the start and the end of a run."""

    rid: Annotated[str, Field(max_length=LONGEST_RUN)] = ""


class EventParameters(LocalRequest):
    """trigger: empty for all."""

    trigger: str = ""


class ExplainParameters(LocalRequest):
    """trigger: empty for all."""

    trigger: str = ""
