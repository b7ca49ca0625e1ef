import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifyd.text.durations import (
    format_duration,
    format_rough,
    format_size,
    parse_duration,
    parse_size,
)


@given(st.integers(0, 10**9))
def test_whole_seconds_survive_formatting(value: int):
    assert parse_duration(format_duration(value)) == value


@given(st.floats(0, 10**8))
def test_any_formatted_duration_can_be_parsed(value: float):
    assert parse_duration(format_duration(value)) == pytest.approx(value, abs=0.5, rel=0.05)


@given(st.integers(0, 10**11))
def test_sizes_survive_formatting(value: int):
    assert parse_size(format_size(value)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("500ms", 0.5), ("2s", 2), ("1.5s", 1.5), ("1h30m", 5400), ("1d", 86400), ("2w", 1209600)],
)
def test_durations(text: str, value: float):
    assert parse_duration(text) == value


@pytest.mark.parametrize(("text", "value"), [("64KiB", 65536), ("10 MiB", 10 << 20), ("5B", 5)])
def test_sizes(text: str, value: int):
    assert parse_size(text) == value


@pytest.mark.parametrize(("value", "number"), [(5, "5"), (5.0, "5.0"), (0, "0"), (" 30 ", "30")])
def test_a_duration_without_a_unit_is_refused_with_the_right_form(value: object, number: str):
    message = f'invalid duration "{number}": add a unit, for example "{number}m"'
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_duration(value)


@pytest.mark.parametrize(
    "value", ["", "s", "5 minutes", "-5s", "1e5s", "٣s", "5S", None, True, [], "9" * 13, -1, 1e99]
)
def test_an_invalid_duration_is_refused(value: object):
    with pytest.raises(ValueError, match="invalid duration: use a number and a unit"):
        parse_duration(value)


def test_a_duration_of_more_than_100_years_is_refused():
    with pytest.raises(ValueError, match="at most 100 years"):
        parse_duration("40000d")


@pytest.mark.parametrize("value", ["", "64kb", "-1B", "1.5MiB", None, False])
def test_an_invalid_size_is_refused(value: object):
    with pytest.raises(ValueError, match="invalid size: use a number and a unit"):
        parse_size(value)


@pytest.mark.parametrize("value", [64, "64"])
def test_a_size_without_a_unit_is_refused_with_the_right_form(value: object):
    with pytest.raises(ValueError, match='invalid size "64": add a unit, for example "64KiB"'):
        parse_size(value)


@given(st.floats(0, 10**8))
def test_a_rough_duration_is_right_to_a_few_percent(value: float):
    assert parse_duration(format_rough(value)) == pytest.approx(value, abs=0.5, rel=0.1)
    assert len(format_rough(value)) <= 6


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.08, "80ms"),
        (3.6, "4s"),
        (59.7, "1m"),
        (90, "1m30s"),
        (1_530, "26m"),
        (5_400, "1h30m"),
        (7_200, "2h"),
        (93_600, "26h"),
        (86_400, "24h"),
        (4 * 86_400, "4d"),
        (4.2 * 86_400, "4d5h"),
        (30.9 * 86_400, "30d"),
    ],
)
def test_a_rough_duration_is_short(value: float, text: str):
    assert format_rough(value) == text
