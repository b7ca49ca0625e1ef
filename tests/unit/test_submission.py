"""The body of a send request becomes a message or a 4xx."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifyd.api.schemas import Submission
from notifyd.http.errors import HttpError
from notifyd.http.schemas import parse_json
from notifyd.model.notifications import Priority
from notifyd.text.limits import DATA_LIMIT

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
names = st.sampled_from(["title", "body", "message", "data", "priority", "key", "delay"])
wrong = st.dictionaries(names | st.text(max_size=8), values)
likely = st.fixed_dictionaries(
    {"title": st.text(min_size=1)},
    optional={
        "body": st.text(),
        "data": st.dictionaries(st.text(max_size=8), values, max_size=4),
        "priority": st.sampled_from(list(Priority)),
        "key": st.text(max_size=210),
        "delay": st.sampled_from(["1s", "2h", "1", "31d"]),
    },
)
surrogates = st.text(st.sampled_from("a\ud800\udc00\udfff"), min_size=1)


@given(st.binary() | (wrong | likely | values).map(lambda value: json.dumps(value).encode()))
@example(b'\xef\xbb\xbf{"title":"with a BOM"}')
@example(rb'{"title":"\ud800"}')
def test_every_body_is_a_message_or_a_4xx(raw):
    asked = read(raw)
    if isinstance(asked, HttpError):
        assert asked.status in (400, 422)
        assert 0 < len(str(asked)) < 800
        return
    assert asked.message.title.strip() or asked.message.body.strip()
    kept = [asked.message.title, asked.message.body, asked.key or ""]
    kept.append(json.dumps(asked.message.data, ensure_ascii=False, allow_nan=False))
    assert "".join(kept).encode().decode() == "".join(kept)
    assert len(kept[-1].encode()) <= DATA_LIMIT
    assert 0 <= asked.delay <= 30 * 86_400


def read(raw: bytes) -> Submission | HttpError:
    try:
        return parse_json(Submission, raw)
    except HttpError as error:
        return error


@given(surrogates, surrogates)
def test_lone_surrogates_are_replaced(title, inner):
    raw = json.dumps({"title": title, "data": {inner: [inner]}}).encode()
    message = parse_json(Submission, raw).message
    assert len(message.title) == len(json.loads(json.dumps(title)))
    json.dumps([message.title, message.data], ensure_ascii=False).encode()


@given(st.integers(1, 40), st.booleans())
def test_data_is_accepted_up_to_a_depth(depth, lists):
    value: object = 1
    for _ in range(depth - 1):
        value = [value] if lists else {"a": value}
    raw = json.dumps({"title": "t", "data": {"a": value}}).encode()
    if depth <= 32:
        assert parse_json(Submission, raw).message.data == {"a": value}
    else:
        with pytest.raises(HttpError, match="32 levels deep"):
            parse_json(Submission, raw)


def test_data_is_accepted_up_to_a_size():
    filler = "ä" * ((DATA_LIMIT - len('{"a": ""}')) // 2)
    raw = json.dumps({"title": "t", "data": {"a": filler}}).encode()
    assert parse_json(Submission, raw).message.data == {"a": filler}
    raw = json.dumps({"title": "t", "data": {"a": filler + "xx"}}).encode()
    with pytest.raises(HttpError, match=f"at most {DATA_LIMIT} bytes"):
        parse_json(Submission, raw)


def test_a_message_has_the_visible_text_of_title_and_body():
    asked = read(rb'{"title":"\u001b[31mred\u001b[0m\r","body":"1%\r2%\ndone\r\n"}')
    assert (asked.message.title, asked.message.body) == ("red", "2%\ndone\n")


def test_a_message_without_visible_text_is_refused():
    asked = read(rb'{"title":"\u001b[31m\u001b[0m"}')
    assert (asked.status, asked.code) == (422, "empty")
