"""What may stand in a request's body, and the one sentence when it does not."""

import json
from typing import Annotated, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)

from notifyd.relay.errors import RequestError


def _finite(value: JsonValue) -> JsonValue:
    """Refuse NaN and infinity: they are no JSON, and would break every page that reads them."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        raise ValueError("holds a number that is not finite") from None
    return value


Object = Annotated[dict[str, JsonValue], AfterValidator(_finite)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class RequestSchema(BaseModel):
    """Fields that we do not know are ignored, as the platform may know more of them."""

    model_config = ConfigDict(strict=True, frozen=True)


class TokenRequest(RequestSchema):
    workspace_id: Name
    name: Annotated[str, Field(max_length=120)] | None = None
    metadata: Object = Field(default_factory=dict)

    @model_validator(mode="after")
    def _routing_is_text(self) -> Self:
        for key in ("channel", "device_id"):
            if not isinstance(self.metadata.get(key, ""), str):
                raise ValueError(f"metadata.{key}: must be a string")  # noqa: TRY004 - pydantic's way
        return self


class DeviceRequest(RequestSchema):
    device_id: Name
    fcm_token: Annotated[str, Field(min_length=1, max_length=4096)]
    platform: Literal["ios", "android", "web"]
    device_info: Annotated[JsonValue, AfterValidator(_finite)] = None


class SendRequest(RequestSchema):
    title: str | None = None
    body: str | None = None
    data: Object | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.title or "").strip() and not (self.body or "").strip():
            raise ValueError("title, body: at least one of them must have text")
        return self


AnyRequest = TypeVar("AnyRequest", bound=RequestSchema)


def read(form: type[AnyRequest], raw: bytes) -> AnyRequest:
    """Read a request's body; a RequestError of 400 or 422 says what is wrong and in which field."""
    try:
        return form.model_validate_json(raw)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
    if problems[0]["type"] == "json_invalid":
        reason = problems[0]["msg"].removeprefix("Invalid JSON: ")
        raise RequestError(400, "invalid_json", f"the body is not JSON: {reason}")
    sentences = [_sentence(problem["loc"], problem["msg"]) for problem in problems]
    raise RequestError(422, "validation_error", "; ".join(sentences))


def _sentence(place: tuple[int | str, ...], reason: str) -> str:
    reason = reason.removeprefix("Value error, ")
    reason = reason[:1].lower() + reason[1:]
    if place:
        return f"{'.'.join(map(str, place))}: {reason}"
    return reason.replace("input should be an object", "the body must be a JSON object")
