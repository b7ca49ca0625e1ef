from typing import Annotated, ClassVar, Literal

import pytest
from pydantic import ConfigDict, Field

from notifyd.http.errors import HttpError
from notifyd.http.schemas import RequestSchema, SchemaErrors, parse_json, validate


class Strict(RequestSchema):
    model_config = ConfigDict(extra="forbid")
    errors: ClassVar = SchemaErrors("bad_json", "bad_field", {"missing": "lacking"})

    name: Annotated[str, Field(max_length=3)]
    kind: Literal["a", "b"] = "a"
    number: Annotated[int, Field(le=9)] = 0


def refusal(value: object, **how) -> HttpError:
    with pytest.raises(HttpError) as caught:
        validate(Strict, value, **how)
    return caught.value


@pytest.mark.parametrize(
    ("value", "code", "sentence"),
    [
        ({}, "lacking", "name: is required"),
        ({"name": 1}, "bad_field", "name: must be a string, not a number"),
        ({"name": None}, "bad_field", "name: must be a string, not null"),
        ({"name": "abcd"}, "bad_field", "name: must have at most 3 characters"),
        ({"name": "x", "kind": "c"}, "bad_field", "kind: must be 'a' or 'b' (got 'c')"),
        ({"name": "x", "kind": {}}, "bad_field", "kind: must be 'a' or 'b' (got an object)"),
        ({"name": "x", "number": 10}, "bad_field", "number: must be less than or equal to 9"),
        ({"name": "x", "nam": 1}, "bad_field", "nam: unknown field; did you mean 'name'?"),
        ({"name": "x", "z\n": 1}, "bad_field", "z\ufffd: unknown field; known are name, kind, n"),
        ({"kind": 0, "number": "x"}, "lacking", "name: is required; kind: must be"),
        ("text", "bad_field", "the body must be a JSON object, not a string"),
        (None, "bad_field", "the body must be a JSON object, not null"),
    ],
)
def test_one_sentence_names_all_wrong_fields(value: object, code: str, sentence: str) -> None:
    error = refusal(value)
    assert (error.status, error.code) == (422, code)
    assert str(error).startswith(sentence)


def test_further_mistakes_are_counted() -> None:
    value = {"name": "x"} | {f"zz{number}": 1 for number in range(5)}
    assert str(refusal(value)).endswith("; and 2 more")


def test_a_query_has_parameters_not_fields() -> None:
    assert str(refusal({"name": "x", "nam": ""}, noun="parameter")).startswith(
        "nam: unknown parameter; did you mean 'name'?"
    )


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "the body is not JSON: Expecting value"),
        (b"\xff", "the body is not JSON: not UTF-8"),
        (b"[" * 100_000, "the body is not JSON: nested too deeply"),
        (b'{"name": NaN}', "the body is not JSON: NaN is not a JSON number"),
    ],
)
def test_what_is_not_json_is_400(raw: bytes, sentence: str) -> None:
    with pytest.raises(HttpError, match=sentence) as caught:
        parse_json(Strict, raw)
    assert (caught.value.status, caught.value.code) == (400, "bad_json")


def test_a_byte_order_mark_is_skipped_and_surrogates_are_replaced() -> None:
    assert parse_json(Strict, b'\xef\xbb\xbf{"name": "\\ud800x"}').name == "\ufffdx"
    assert parse_json(Strict, b'{"name": "\\uDFFFx"}').name == "\ufffdx"
