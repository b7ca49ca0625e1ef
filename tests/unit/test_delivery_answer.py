import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifyd.delivery.response import TEXT_LIMIT, ApiResponse, parse_response, sanitize

SECRET = "onp_very-secret-token"
SENT = {"success": True, "delivered": 1, "failed": 0, "devices": 1}


def parse(body: bytes | None, status: int = 200, headers: dict | None = None) -> ApiResponse:
    return parse_response(status, headers or {}, body, secret=SECRET, token_name="the file")


def error_text(fields: dict) -> str:
    return parse(json.dumps(fields).encode(), 500).error


def test_a_success_has_the_figures():
    body = SENT | {"errors": [{"code": "c", "message": "m", "count": 2, "more": 1}, "odd"]}
    assert parse(json.dumps(body).encode()) == ApiResponse(
        200,
        success=True,
        report={
            "delivered": 1,
            "failed": 0,
            "devices": 1,
            "errors": [{"code": "c", "message": "m", "count": 2}],
        },
        token_name="the file",
    )


@pytest.mark.parametrize(
    "body",
    [None, b"", b"<html>", b'{"success": tru', b"[1]", b'"x"', b"1", b"\xff\xfe", b"[" * 60_000],
)
def test_a_body_that_is_no_json_object_is_neither_success_nor_failure(body):
    assert parse(body).success is None


@pytest.mark.parametrize("value", [False, None, 1, "true", [True]])
def test_only_true_is_success(value):
    found = parse(json.dumps(SENT | {"success": value}).encode())
    assert found.success is False
    assert found.report is None


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"error": "rate limited"}, "rate limited"),
        ({"code": "validation_error", "message": "body is empty"}, "body is empty"),
        ({"error": {"message": "inner", "code": "c"}}, "inner"),
        ({"error": {"code": "c"}}, "c"),
        ({"error": True, "details": "the detail"}, "the detail"),
        ({"code": "only_code"}, "only_code"),
        ({"error": 7, "message": ["x"]}, ""),
        ({"error": "two\nlines\x1b[31m \u202ered\u0000\ud800"}, "two lines [31m red"),
    ],
)
def test_the_error_text_is_found_and_made_printable(fields, text):
    assert error_text(fields) == text


def test_long_text_is_cut():
    text = error_text({"error": "x" * 5000})
    assert len(text) == TEXT_LIMIT
    assert text.endswith("…")


def test_the_token_is_hidden_wherever_the_api_echoes_it():
    padded = "x" * (TEXT_LIMIT - 5) + SECRET  # cutting before masking would leave a part of it
    escaped = "".join(f"\\u{ord(char):04x}" for char in SECRET)
    skipped = json.dumps(SENT | {"skipped": SECRET, "errors": [{"message": SECRET}]}).encode()
    for found in (
        parse(json.dumps({"error": padded}).encode(), 401),
        parse(b'{"error": "bad ' + escaped.encode() + b'"}', 401),
        parse(skipped),
        parse(b"{}", 302, {"Location": f"https://{SECRET}.example/{SECRET}?{SECRET}"}),
    ):
        assert "onp_" not in repr(found)


@pytest.mark.parametrize("figure", [-1, 10**12, "1", True, None, float("nan"), [1]])
def test_invalid_figures_are_left_out(figure):
    found = parse(json.dumps(SENT | {"devices": figure}).encode())
    assert found.report == {"delivered": 1, "failed": 0}


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("https://user:pw@Other.example:8443/x?y=z", "other.example"),
        ("/elsewhere", ""),
        ("http://[bad", ""),
    ],
)
def test_a_redirect_names_only_its_host(location, host):
    assert parse(b"", 301, {"Location": location}).redirect_host == host


@given(
    st.binary()
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    ["success", "error", "message", "devices", "errors", "skipped", "code"]
                ),
                inner,
            )
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_body_gives_a_bounded_response_that_can_be_stored(body):
    for status in (200, 500):
        found = parse(body, status)
        assert len(found.error) <= TEXT_LIMIT
        assert len(json.dumps(found.report, ensure_ascii=False).encode("utf-8")) < 10_000


@given(st.text(), st.text())
def test_sanitized_text_is_printable_bounded_and_without_the_secret(text, more):
    sanitized = sanitize(text + SECRET + more, SECRET)
    assert sanitized.isprintable()
    assert SECRET not in sanitized
    assert len(sanitized) <= TEXT_LIMIT
