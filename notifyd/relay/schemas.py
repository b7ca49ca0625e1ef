"""What the Notifications API's requests may carry, and how its responses write a time."""

import json
from datetime import UTC, datetime
from typing import Annotated, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, JsonValue, model_validator

from notifyd.http.schemas import RequestSchema
from notifyd.model.notifications import Json

LONGEST_QUESTION = 7 * 86_400.0
"""Seconds for which a question can wait at most."""

Value = TypeVar("Value")

_LONGEST_NUMBER = 18
"""Digits that always fit into SQLite's integers."""


def _check_finite(value: Value) -> Value:
    """Refuse infinity: JSON cannot write it, and the page could not read it."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        raise ValueError("holds a number that is not finite") from None
    return value


def _check_no_nul(text: str) -> str:
    """Refuse the one character that databases take for the end of a text."""
    if "\0" in text:
        raise ValueError("must not contain NUL")
    return text


JsonObject = Annotated[Json, AfterValidator(_check_finite)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_check_no_nul)]


Names = Annotated[list[Name], Field(max_length=100)]


class TokenRequest(RequestSchema):
    """Fields that this relay does not know are ignored, as the platform may know more of them."""

    workspace_id: Name
    name: Annotated[str, Field(max_length=120)] | None = None
    metadata: JsonObject = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_routing(self) -> Self:
        for key in ("channel", "device_id"):
            value = self.metadata.get(key, "")
            if not isinstance(value, str):
                raise ValueError(f"metadata.{key}: must be a string")  # noqa: TRY004 - pydantic's way
            if "\0" in value:
                raise ValueError(f"metadata.{key}: must not contain NUL")
        return self


class DeviceRequest(RequestSchema):
    device_id: Name
    fcm_token: Annotated[str, Field(min_length=1, max_length=4096)]
    platform: Literal["ios", "android", "web"] | None = None
    device_info: Annotated[JsonValue, AfterValidator(_check_finite)] = None
    workspaces: Names | None = None
    channels: Names | None = None


def _check_url(url: str) -> str:
    if urlsplit(url).scheme not in ("http", "https") or not url.isprintable() or " " in url:
        raise ValueError("must be an http or https URL")
    return url


class ActionRequest(RequestSchema):
    """A button of a notification: it opens a URL, or it is one of the answers to a question."""

    label: Annotated[str, Field(min_length=1, max_length=40)]
    url: Annotated[str, Field(max_length=2000), AfterValidator(_check_url)] | None = None


class SendRequest(RequestSchema):
    """answer_within: seconds for which a question waits for its answer."""

    title: str | None = None
    body: str | None = None
    data: JsonObject | None = None
    actions: Annotated[list[ActionRequest], Field(max_length=5)] = Field(default_factory=list)
    answer_within: Annotated[float, Field(gt=0, le=LONGEST_QUESTION)] = 3600.0

    @model_validator(mode="after")
    def _check_text(self) -> Self:
        if not (self.title or "").strip() and not (self.body or "").strip():
            raise ValueError("title, body: at least one of them must have text")
        if len(set(self.options)) < len(self.options):
            raise ValueError("actions: the labels of answers must differ")
        return self

    @property
    def options(self) -> tuple[str, ...]:
        """The answers that its question offers; none if it asks nothing."""
        return tuple(action.label for action in self.actions if action.url is None)

    def full_data(self) -> Json:
        """Return the data, with the buttons that open a URL as `actions`."""
        links: list[Json] = [
            {"label": action.label, "url": action.url}
            for action in self.actions
            if action.url is not None
        ]
        return {**(self.data or {}), **({"actions": links} if links else {})}


def parse_number(text: str) -> int | None:
    """Parse the number of a token or a device in a path; None if it is not one."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER
    return int(text) if is_number else None


def format_time(wall: float) -> str:
    """Format seconds since the epoch as 2026-01-31T12:00:00.000Z."""
    text = datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def format_optional_time(wall: float | None) -> str | None:
    return None if wall is None else format_time(wall)
