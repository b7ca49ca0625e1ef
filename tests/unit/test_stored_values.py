"""Stored values are checked field by field; what a source refuses is reported once and bounded."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from notifyd.model.health import SourceHealth
from notifyd.sources.stored_values import (
    CheckpointValueError,
    RefusedValues,
    StoredFields,
    as_seconds,
    decode_json,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def decoded(**fields):
    return StoredFields.decode(json.dumps(fields))


def test_a_value_without_a_format_has_the_first_one_and_unknown_keys_are_ignored():
    fields = decoded(name="x", added_later=[1])
    assert fields.text("name") == "x"
    assert decoded(format=1, name="x").text("name") == "x"


@pytest.mark.parametrize("text", ["", "nonsense", "[" * 100_000, "NaN1", "1" * 5_000])
def test_text_that_is_not_json_is_refused(text):
    with pytest.raises(CheckpointValueError, match="is not JSON"):
        decode_json(text)


@pytest.mark.parametrize("text", ["7", "[]", '"x"', "null"])
def test_json_that_is_not_an_object_is_refused(text):
    with pytest.raises(CheckpointValueError, match="it must be a JSON object, not"):
        StoredFields.decode(text)


def test_a_newer_format_is_refused_and_an_older_one_is_not():
    with pytest.raises(CheckpointValueError, match="newer version of notifyd wrote it in format 2"):
        decoded(format=2)
    assert StoredFields.decode('{"format": 2, "a": "b"}', newest=2).text("a") == "b"


@pytest.mark.parametrize("version", [0, -1, "1", True, 1.5, None])
def test_a_format_is_a_positive_integer(version):
    with pytest.raises(CheckpointValueError, match='"format" must be an integer from 1'):
        decoded(format=version)


@pytest.mark.parametrize(
    ("read", "wrong", "reason"),
    [
        (lambda fields: fields.text("x"), 7, '"x" must be a string, not 7'),
        (lambda fields: fields.text("x"), None, '"x" must be a string, not null'),
        (lambda fields: fields.texts("x"), ["a", 1], '"x" must be an array of strings'),
        (lambda fields: fields.texts("x"), "ab", '"x" must be an array of strings'),
        (lambda fields: fields.text_map("x"), {"a": 1}, '"x" must be an object of strings'),
        (lambda fields: fields.integer("x"), True, '"x" must be an integer from 0'),
        (lambda fields: fields.integer("x"), 1.5, '"x" must be an integer from 0'),
        (lambda fields: fields.integer("x"), -1, '"x" must be an integer from 0'),
        (lambda fields: fields.integer("x", most=9), 10, '"x" must be an integer from 0 to 9'),
        (lambda fields: fields.integer_map("x"), [7], '"x" must be an object of integers, not [7]'),
        (lambda fields: fields.integer_map("x"), {"a": "7"}, '"a" must be an integer from 0'),
        (lambda fields: fields.integer_map("x", most=9), {"a": 10}, '"a" must be an integer from'),
        (lambda fields: fields.boolean("x"), 1, '"x" must be true or false, not 1'),
        (lambda fields: fields.boolean("x"), None, '"x" must be true or false, not null'),
        (lambda fields: fields.microseconds("x"), 1 << 62, '"x" must be an integer from 0 to'),
        (lambda fields: fields.seconds("x"), True, '"x" must be a number of seconds'),
        (lambda fields: fields.seconds("x"), float("nan"), '"x" must be a number of seconds'),
        (lambda fields: fields.seconds("x"), 1e300, '"x" must be a number of seconds'),
        (lambda fields: fields.row("x", ("a", "b")), {}, "it must be a JSON array of a, b"),
        (lambda fields: fields.rows("x", ("a",)), "ab", '"x" must be an array of arrays'),
        (lambda fields: fields.rows("x", ("a",)), ["ab"], "it must be a JSON array of a"),
    ],
)
def test_a_field_of_another_type_is_refused_by_name(read, wrong, reason):
    with pytest.raises(CheckpointValueError) as refusal:
        read(decoded(x=wrong))
    assert str(refusal.value).startswith(reason)
    with pytest.raises(CheckpointValueError, match='"x" is missing'):
        read(decoded())


def test_a_missing_field_has_its_default_and_a_wrong_one_is_refused_all_the_same():
    assert decoded().text("x", "") == ""
    assert decoded().integer("x", 7) == 7
    assert decoded().integer_map("x", {}) == {}
    assert decoded().boolean("x", default=True) is True
    assert decoded().seconds("x", 0.0) == 0.0
    for read in (
        lambda fields: fields.text("x", ""),
        lambda fields: fields.integer("x", 7),
        lambda fields: fields.integer_map("x", {}),
        lambda fields: fields.boolean("x", default=True),
        lambda fields: fields.seconds("x", 0.0),
    ):
        with pytest.raises(CheckpointValueError, match='"x" must be'):
            read(decoded(x=None))


def test_an_optional_field_may_be_missing_or_null_but_not_of_another_type():
    assert decoded().optional_text("x") is decoded(x=None).optional_text("x") is None
    assert decoded().optional_integer("x") is decoded(x=None).optional_integer("x") is None
    assert (decoded(x="a").optional_text("x"), decoded(x=7).optional_integer("x")) == ("a", 7)
    for read in (
        lambda: decoded(x=7).optional_text("x"),
        lambda: decoded(x="a").optional_integer("x"),
    ):
        with pytest.raises(CheckpointValueError, match='"x" must be'):
            read()


def test_a_row_names_items_by_their_order_and_ignores_additional_ones():
    row = decoded(place=["c", 7, "later"]).row("place", ("cursor", "stamp"))
    assert (row.text("cursor"), row.integer("stamp")) == ("c", 7)
    short = decoded(place=["c"]).row("place", ("cursor", "stamp"))
    with pytest.raises(CheckpointValueError, match='"stamp" is missing'):
        short.integer("stamp")


@given(JSON)
def test_any_json_is_read_or_refused(value):
    text = json.dumps(value)
    for read in (StoredFields.decode, lambda text: as_seconds(decode_json(text))):
        with suppress(CheckpointValueError):  # and nothing else
            assert read(text) is not None


def test_a_refused_value_is_logged_once_and_stays_in_status():
    refused = RefusedValues("file")
    refused.add(
        "file:up:/a\nb", "state of /a\nb", CheckpointValueError("it is bad"), "it counts as new"
    )
    with capture_logs() as logs:
        refused.log()
        refused.log()
    sentence = "discarded the stored state of /a b: it is bad; it counts as new"
    assert [(entry["event"], entry["source"]) for entry in logs] == [(sentence, "file")]
    assert SourceHealth("file", 0, tuple(refused.problems)).messages == [sentence]
    assert all(problem.already_logged for problem in refused.problems)


def test_of_many_refused_values_the_first_are_named_and_the_others_counted():
    refused = RefusedValues("file")
    with capture_logs() as logs:
        for number in range(1000):
            refused.add(
                str(number), f"state {number}", CheckpointValueError("it is bad"), "so what"
            )
        refused.log()
        refused.log()
    said = SourceHealth("file", 0, tuple(refused.problems)).messages
    assert len(said) == 20
    assert said[-1] == "discarded 981 more stored values"
    assert [entry["event"] for entry in logs] == said
