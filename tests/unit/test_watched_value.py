"""What an answer of the platform means for a trigger."""

import pytest

from notifyd.config.triggers import OblienTriggerConfig
from notifyd.model.events import AlertState
from notifyd.sources.platform.watched_value import ValueWatch, decode_known
from notifyd.sources.stored_values import CheckpointValueError


def watch(counted=1, **keys):
    return ValueWatch("t", OblienTriggerConfig.model_validate({"get": "/x"} | keys), counted)


def events(watched, *answers):
    """Evaluate answers one after the other, each after a restart."""
    known, made = None, []
    for answer in answers:
        known, event = watched.evaluate(answer, known, 5.0)
        known = decode_known(known.encode(watched.terms), watched.terms)
        made.append(event and (event.line, event.alert_state.value))
    return made


def test_the_first_answer_is_only_remembered_and_each_change_is_reported_once():
    states = ({"status": state} for state in ("building", "building", "failed", "failed"))
    made = events(watch(value="status"), *states)
    assert made == [None, None, ("building → failed", ""), None]


def test_a_value_that_is_gone_is_a_change_to_null():
    assert events(watch(value="a.b"), {"a": {"b": 1}}, {}) == [None, ("1 → null", "")]


def test_a_function_that_does_not_take_the_value_gives_null():
    assert events(watch(value="length(a)"), {"a": [1]}, {}) == [None, ("1 → null", "")]
    assert watch(value="length(a)", when="> 3").is_number_missing({})


def test_the_order_of_keys_is_no_change():
    assert events(watch(), {"a": 1, "b": 2}, {"b": 2, "a": 1}) == [None, None]


def test_a_change_far_inside_a_long_value_is_one():
    before, after = "x" * 5000 + "a", "x" * 5000 + "b"
    (_, (line, _)) = events(watch(), before, after)
    assert len(line) < 2100


def test_a_comparison_begins_and_ends_and_repeats_nothing():
    low = watch(value="credits", when="< 5")
    made = events(low, *({"credits": amount} for amount in (9, 4, 3, "12.5", 12)))
    assert made == [
        ("9 (no longer < 5)", "ended"),
        ("4 (< 5)", "began"),
        None,
        ("12.5 (no longer < 5)", "ended"),
        None,
    ]


def test_what_is_no_number_neither_begins_nor_ends_a_comparison():
    low = watch(value="credits", when="< 5")
    assert events(low, {"credits": 4}, {}, {"credits": None})[1:] == [None, None]
    assert low.is_number_missing({})
    assert not low.is_number_missing({"credits": 3})


def test_a_state_is_reported_as_often_as_it_is_counted():
    failing = watch(counted=3, value="s", when="== failed")
    made = events(failing, *({"s": state} for state in ("failed",) * 5 + ("ok", "failed")))
    assert [event and event[1] for event in made] == ["began"] * 3 + [None] * 2 + ["ended", "began"]


def test_a_value_of_other_terms_is_not_taken_over():
    known, _ = watch(value="a").evaluate({"a": 1}, None, 0.0)
    stored = known.encode(watch(value="a").terms)
    assert decode_known(stored, watch(value="b").terms) is None
    with pytest.raises(CheckpointValueError):
        decode_known("[]", watch().terms)
    assert decode_known(stored, watch(value="a").terms).state is AlertState.NONE
