import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifyd.relay.errors import RequestError
from notifyd.relay.schemas import DeviceRequest, RequestSchema, SendRequest, TokenRequest, read

DEVICE = {"device_id": "d", "fcm_token": "f", "platform": "ios"}


def refusal(form: type[RequestSchema], raw: bytes) -> RequestError:
    with pytest.raises(RequestError) as caught:
        read(form, raw)
    return caught.value


@pytest.mark.parametrize(
    ("form", "body", "sentence"),
    [
        (SendRequest, {}, "title, body: at least one"),
        (SendRequest, {"title": "", "body": None}, "title, body: at least one"),
        (SendRequest, {"title": " \n"}, "title, body: at least one"),
        (SendRequest, {"title": 1}, "title: input should be a valid string"),
        (SendRequest, {"title": "t", "body": ["b"]}, "body: input should be a valid string"),
        (SendRequest, {"title": "t", "data": "x"}, "data: input should be an object"),
        (SendRequest, [], "the body must be a JSON object"),
        (SendRequest, {"title": 1, "data": 2}, "title: input should be a valid string; data: "),
        (TokenRequest, {}, "workspace_id: field required"),
        (TokenRequest, {"workspace_id": ""}, "workspace_id: "),
        (TokenRequest, {"workspace_id": "w", "name": "n" * 121}, "name: "),
        (TokenRequest, {"workspace_id": "w", "metadata": []}, "metadata: "),
        (TokenRequest, {"workspace_id": "w", "metadata": {"device_id": 1}}, "metadata.device_id: "),
        (TokenRequest, {"workspace_id": "w", "metadata": {"channel": {}}}, "metadata.channel: "),
        (DeviceRequest, DEVICE | {"platform": "fridge"}, "platform: input should be 'ios', "),
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
        rb'{"title": "\ud800"}',
        b'{"data": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        b'{"data": {"n": ' + b"9" * 5000 + b"}}",
    ],
)
def test_what_is_no_json_is_refused_as_such(raw: bytes) -> None:
    error = refusal(SendRequest, raw)
    assert (error.status, error.code) == (400, "invalid_json")
    assert str(error).startswith("the body is not JSON: ")


@pytest.mark.parametrize("number", [b"NaN", b"-Infinity", b"1e999"])
def test_numbers_that_json_does_not_have_are_refused(number: bytes) -> None:
    error = refusal(SendRequest, b'{"title": "t", "data": {"n": [' + number + b"]}}")
    assert (error.status, str(error)) == (422, "data: holds a number that is not finite")


def test_fields_that_only_the_platform_knows_are_ignored() -> None:
    assert read(SendRequest, b'{"body": "b", "later": 1}').body == "b"
    assert (
        len(
            read(TokenRequest, json.dumps({"workspace_id": "w", "name": "n" * 120}).encode()).name
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
def test_no_bytes_do_more_than_be_refused(raw: bytes) -> None:
    with suppress(RequestError):
        read(SendRequest, raw)
