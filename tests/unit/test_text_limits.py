import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifyd.text.limits import (
    BODY_LIMIT,
    DATA_LIMIT,
    LEFT_OUT,
    PAYLOAD_LIMIT,
    RESERVED_KEYS,
    TITLE_LIMIT,
    data_size,
    encode,
    keep_end,
    longest_size,
    show_escaped_bytes,
    strip_control,
    strip_control_from_title,
    truncate_notification,
)
from support.examples import examples

ANYTHING = st.text(st.characters(), max_size=300)  # surrogates too
LONG = st.builds(lambda text, times: text * times, ANYTHING, st.integers(1, 60))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | ANYTHING,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANYTHING, inner, max_size=3),
    max_leaves=5,
)
DATA = st.dictionaries(ANYTHING, JSON | LONG, max_size=6)
OUR_DATA = {"notification_id": "i" * 36, "trigger": "t" * 64, "priority": "default", "count": "99"}


@given(LONG, LONG, DATA)
@examples(40, 1000)
def test_any_notification_fits_all_limits(title: str, body: str, data: dict[str, object]):
    title, body, data = truncate_notification(title, body, data | OUR_DATA)
    assert len(title) <= TITLE_LIMIT
    assert len(body) <= BODY_LIMIT
    sent = encode(title, body, data)
    assert len(sent) <= PAYLOAD_LIMIT
    assert json.loads(sent)["data"].items() >= OUR_DATA.items()


@given(LONG, LONG, DATA)
def test_truncating_twice_changes_nothing_more(title: str, body: str, data: dict[str, object]):
    once = truncate_notification(title, body, data)
    assert truncate_notification(*once) == once


@given(ANYTHING, ANYTHING, DATA.filter(lambda data: data_size(data) <= DATA_LIMIT))
def test_data_within_the_limit_is_kept(title: str, body: str, data: dict[str, object]):
    sent = truncate_notification(title, body, {**data, **OUR_DATA})[2]
    assert sent.keys() >= OUR_DATA.keys()
    assert (LEFT_OUT in sent) == (LEFT_OUT in data)


@given(LONG)
def test_no_control_character_is_left(text: str):
    for cleaned, kept in ((strip_control(text), "\n\t"), (strip_control_from_title(text), "")):
        cleaned.encode()
        bad = [c for c in cleaned if (ord(c) < 32 or 127 <= ord(c) < 160) and c not in kept]
        assert bad == []


@pytest.mark.parametrize(
    "character", ["\x00", "\x1b", "\x7f", "\x9b", "\u202a", "\u202e", "\ud800", "\r"]
)
def test_each_control_character_is_replaced_alone(character: str):
    assert (
        strip_control(f"a{character}b") == strip_control_from_title(f"a{character}b") == "a\ufffdb"
    )


@pytest.mark.parametrize("mark", ["\u200e", "\u200f", "\u061c", "\u2066", "\u2069"])
def test_direction_marks_are_dropped(mark: str):
    assert strip_control(f"a{mark}b") == strip_control_from_title(f"a{mark}b") == "ab"


@given(LONG, LONG)
def test_the_end_of_a_long_text_is_kept(title: str, body: str):
    body = strip_control(body).strip("\n")
    kept = keep_end(title, body, {"key": "value"})
    own = {"notification_id": "0" * 36, "trigger": "socket", "priority": "default", "count": "1"}
    assert truncate_notification(title, kept, {"key": "value"} | own)[1].endswith(kept[-50:])
    assert kept == body or body.endswith(kept.removeprefix("…").removeprefix("\n"))


def test_line_ends_are_normalized():
    assert strip_control("one\r\ntwo\tthree\n") == "one\ntwo\tthree\n"
    assert strip_control_from_title(" one\r\ntwo\n\nthree ") == "one two three"


def test_short_text_is_unchanged():
    assert truncate_notification("Title", "body\nof two", {"a": 1}) == (
        "Title",
        "body\nof two",
        {"a": 1},
    )


def test_the_body_is_truncated_first_after_a_whole_character():
    title, body, _ = truncate_notification("é" * 300, "🦊" * 3000, OUR_DATA)
    assert title == "é" * 199 + "…"
    assert set(body) == {"🦊", "…"}
    assert body.endswith("🦊…")
    spare = PAYLOAD_LIMIT - len(encode(title, body, OUR_DATA))
    assert 0 <= spare < 4, "no more is truncated than necessary"


def test_escape_sequences_count_as_sent():
    _, body, _ = truncate_notification("", '"\\\n' * 666, OUR_DATA)
    assert len(encode("", body, OUR_DATA)) <= PAYLOAD_LIMIT


def test_the_title_is_truncated_if_the_data_leaves_no_more_room():
    data = OUR_DATA | {"own": "x" * (DATA_LIMIT - 20)}
    title, body, kept = truncate_notification("🦊" * 200, "body", data)
    assert kept == data
    assert body == ""
    assert title.endswith("🦊…")


def test_the_largest_entries_of_too_much_data_are_dropped():
    data = OUR_DATA | {"small": "s", "large": "l" * 4000, "larger": "x" * 5000}
    title, body, kept = truncate_notification("Title", "body", data)
    assert (title, body) == ("Title", "body")
    assert kept == OUR_DATA | {"small": "s", LEFT_OUT: "2 entries too large"}


def test_an_empty_title_or_body_is_not_sent():
    assert json.loads(encode("", "x", {})) == {"body": "x", "data": {}}
    assert json.loads(encode("x", "", {"a": 1})) == {"title": "x", "data": {"a": 1}}


def test_surrogates_in_data_are_replaced_at_any_depth():
    _, _, data = truncate_notification("", "x", {"a": ["\ud800", {"\udfff": "b"}]})
    assert data == {"a": ["\ufffd", {"\ufffd": "b"}]}


def test_the_size_of_data():
    assert data_size({"a": "x" * (DATA_LIMIT - 9)}) == DATA_LIMIT
    assert data_size({"a": "é\ud800"}) == len('{"a": "é\ufffd"}'.encode())
    with pytest.raises(ValueError, match="not JSON compliant"):
        data_size({"a": float("nan")})
    assert {"notification_id", "trigger", "priority", "count"} == RESERVED_KEYS


@given(DATA)
def test_no_data_is_larger_than_its_bound(data: dict[str, object]):
    assert data_size(data) <= longest_size(data)


def test_the_bound_is_of_use():
    assert longest_size({"run": "12", "branch": "main"}) < 200


def test_a_name_that_is_no_utf_8_is_readable():
    name = b"caf\xe9 \x80\x81.log".decode(errors="surrogateescape")
    assert show_escaped_bytes(name) == "café €\ufffd.log"
    assert show_escaped_bytes("ü\ud800") == "ü\ud800"
