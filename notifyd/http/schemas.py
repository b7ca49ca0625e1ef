"""Request schemas, and the one sentence that names the fields that are wrong."""

import json
import re
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import Any, ClassVar, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from notifyd.http.errors import HttpError, printable
from notifyd.text.limits import replace_surrogates
from notifyd.text.suggestions import did_you_mean

_PROBLEMS_SHOWN = 3
_LONGEST_REASON = 200
_SHALLOW = 100
"""Levels of JSON; all that is deeper may be refused as nested too deeply."""

_REASONS = {
    "string_type": "must be a string",
    "dict_type": "must be an object",
    "model_type": "must be a JSON object",
    "missing": "is required",
}
_TYPE_NAMES = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
    type(None): "null",
}
_SUBJECT = re.compile(r"^(?:Value error, )?(?:Input|String|List|Dictionary|Value) should ")


class SchemaErrors(NamedTuple):
    """An API's error codes for invalid requests.

    by_type: codes for some of pydantic's error types; the others are `invalid_field`.
    """

    invalid_json: str = "invalid_json"
    invalid_field: str = "validation_error"
    by_type: Mapping[str, str] = {}


class RequestSchema(BaseModel):
    """The fields of a JSON body or of a query. Unknown ones are ignored unless forbidden."""

    model_config = ConfigDict(strict=True, frozen=True, defer_build=True)
    errors: ClassVar[SchemaErrors] = SchemaErrors()


Schema = TypeVar("Schema", bound=RequestSchema)


def parse_json(schema: type[Schema], raw: bytes) -> Schema:
    """Parse a JSON body. HttpError: 400 for invalid JSON, 422 for a wrong field.

    Lone surrogates, which UTF-8 cannot carry, are replaced.
    """
    try:
        text = raw.decode("utf-8-sig")
        value = _DECODER.decode(text)
        if "\\u" in text or _may_be_deep(text):  # only an escape can stand for a lone surrogate
            value = replace_surrogates(value)
    except UnicodeDecodeError:
        raise _invalid_json(schema, "not UTF-8") from None
    except RecursionError:
        raise _invalid_json(schema, "nested too deeply") from None
    except ValueError as error:
        raise _invalid_json(schema, printable(str(error))) from None
    return validate(schema, value)


def validate(schema: type[Schema], value: object, *, noun: str = "field") -> Schema:
    """Check parsed values; HttpError (422) names the wrong ones. noun: what it calls a value."""
    try:
        return schema.model_validate(value)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False)
    codes = schema.errors
    code = codes.by_type.get(problems[0]["type"], codes.invalid_field)
    sentences = [_sentence(schema, problem, noun) for problem in problems[:_PROBLEMS_SHOWN]]
    if len(problems) > _PROBLEMS_SHOWN:
        sentences.append(f"and {len(problems) - _PROBLEMS_SHOWN} more")
    raise HttpError(HTTPStatus.UNPROCESSABLE_ENTITY, code, "; ".join(sentences))


@cache
def without_fields(schema: type[Schema]) -> Schema:
    """Return what `validate` makes of no values at all."""
    return validate(schema, {})


def _may_be_deep(text: str) -> bool:
    """Return False for a JSON text that recursive functions can walk for sure."""
    return text.count("[") + text.count("{") > _SHALLOW


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON number")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _invalid_json(schema: type[RequestSchema], reason: str) -> HttpError:
    code = schema.errors.invalid_json
    return HttpError(HTTPStatus.BAD_REQUEST, code, f"the body is not JSON: {reason}")


def _sentence(schema: type[RequestSchema], problem: ErrorDetails, noun: str) -> str:
    known = [field.alias or name for name, field in schema.model_fields.items()]
    reason = _reason(problem, known, noun)
    reason = "".join(c if c.isprintable() else "\ufffd" for c in reason[:_LONGEST_REASON])
    field = ".".join(printable(str(part)) for part in problem["loc"])
    if field:
        return f"{field}: {reason}"
    return f"the body {reason}" if problem["type"] == "model_type" else reason


def _reason(problem: ErrorDetails, known: list[str], noun: str) -> str:
    kind, value = problem["type"], problem["input"]
    reason = _REASONS.get(kind) or _SUBJECT.sub("must ", problem["msg"])
    reason = reason.removeprefix("Value error, ")
    if kind == "extra_forbidden":
        hint = did_you_mean(str(problem["loc"][-1]), known)
        if known and not hint:
            hint = f"; known are {', '.join(known)}"
        return f"unknown {noun}{hint}"
    if kind.endswith("_type"):
        return f"{reason}, not {_type_name(value)}"
    if kind in ("enum", "literal_error"):
        shown = repr(printable(value)) if isinstance(value, str) else _type_name(value)
        return f"{reason} (got {shown})"
    return reason


def _type_name(value: Any) -> str:
    return _TYPE_NAMES.get(type(value), type(value).__name__)
