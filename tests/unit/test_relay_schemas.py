import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifyd.http.errors import HttpError
from notifyd.http.schemas import RequestSchema, parse_json
from notifyd.relay.schemas import DeviceRequest, SendRequest, TokenRequest

DEVICE = {"device_id": "d", "fcm_token": "f", "platform": "ios"}


def refusal(form: type[RequestSchema], raw: bytes) -> HttpError:
    with pytest.raises(HttpError) as caught:
        parse_json(form, raw)
    return caught.value


@pytest.mark.parametrize(
    ("form", "body", "sentence"),
    [
        (SendRequest, {}, "title, body: at least one"),
        (SendRequest, {"title": "", "body": None}, "title, body: at least one"),
        (SendRequest, {"title": " \n"}, "title, body: at least one"),
        (SendRequest, {"title": 1}, "title: must be a string, not a number"),
        (SendRequest, {"title": "t", "body": ["b"]}, "body: must be a string, not a list"),
        (SendRequest, {"title": "t", "data": "x"}, "data: must be an object, not a string"),
        (SendRequest, [], "the body must be a JSON object, not a list"),
        (SendRequest, {"title": 1, "data": 2}, "title: must be a string, not a number; data: "),
        (TokenRequest, {}, "workspace_id: is required"),
        (TokenRequest, {"workspace_id": ""}, "workspace_id: "),
        (TokenRequest, {"workspace_id": "w", "name": "n" * 121}, "name: "),
        (TokenRequest, {"workspace_id": "w", "metadata": []}, "metadata: "),
        (TokenRequest, {"workspace_id": "w", "metadata": {"device_id": 1}}, "metadata.device_id: "),
        (TokenRequest, {"workspace_id": "w", "metadata": {"channel": {}}}, "metadata.channel: "),
        (DeviceRequest, DEVICE | {"platform": "fridge"}, "platform: must be 'ios', "),
        (DeviceRequest, DEVICE | {"device_id": 7}, "device_id: "),
        (DeviceRequest, DEVICE | {"fcm_token": ""}, "fcm_token: "),
    ],
)
def test_a_wrong_field_is_named(form: type[RequestSchema], body: object, sentence: str) -> None:
    error = refusal(form, json.dumps(body).encode())
    assert (error.status, error.code) == (422, "validation_error")
    assert str(error).startswith(sentence)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"hello",
        b'{"title": "t"',
        b'{"title": "\xff"}',
        b'{"title": "t", "data": {"n": NaN}}',
        b'{"title": "t", "data": {"n": -Infinity}}',
        b'{"data": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        b'{"data": {"n": ' + b"9" * 5000 + b"}}",
    ],
)
def test_invalid_json_is_refused_with_400(raw: bytes) -> None:
    error = refusal(SendRequest, raw)
    assert (error.status, error.code) == (400, "invalid_json")
    assert str(error).startswith("the body is not JSON: ")


def test_an_infinite_number_is_refused() -> None:
    error = refusal(SendRequest, b'{"title": "t", "data": {"n": [1e999]}}')
    assert (error.status, str(error)) == (422, "data: holds a number that is not finite")


def test_unknown_fields_are_ignored() -> None:
    assert parse_json(SendRequest, b'{"body": "b", "later": 1}').body == "b"
    assert (
        len(
            parse_json(
                TokenRequest, json.dumps({"workspace_id": "w", "name": "n" * 120}).encode()
            ).name
            or ""
        )
        == 120
    )


values = st.recursive(
    st.none() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["title", "data"]), inner),
    max_leaves=10,
)


@given(st.binary() | values.map(json.dumps).map(str.encode))
def test_any_bytes_are_accepted_or_refused(raw: bytes) -> None:
    with suppress(HttpError):
        parse_json(SendRequest, raw)
