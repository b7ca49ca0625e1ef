import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifyd.text.durations import format_duration, format_size, parse_duration, parse_size


@given(st.integers(0, 10**9))
def test_whole_seconds_survive_being_spoken(value: int):
    assert parse_duration(format_duration(value)) == value


@given(st.floats(0, 10**8))
def test_any_duration_is_spoken_in_a_form_that_is_read_again(value: float):
    assert parse_duration(format_duration(value)) == pytest.approx(value, abs=0.5, rel=0.05)


@given(st.integers(0, 10**11))
def test_sizes_survive_being_spoken(value: int):
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


@pytest.mark.parametrize("value", [5, 5.0, 0])
def test_a_bare_number_is_refused_with_the_right_form(value: float):
    with pytest.raises(ValueError, match=f'needs a unit: write "{value}s"'):
        parse_duration(value)


@pytest.mark.parametrize(
    "value", ["", "5", "s", "5 minutes", "-5s", "1e5s", "٣s", "5S", None, True, [], "9" * 13 + "s"]
)
def test_what_is_no_duration_is_refused(value: object):
    with pytest.raises(ValueError, match="is no duration: write one like"):
        parse_duration(value)


def test_a_duration_beyond_all_use_is_refused():
    with pytest.raises(ValueError, match="longer than a hundred years"):
        parse_duration("40000d")


@pytest.mark.parametrize("value", ["", "64", "64kb", "-1B", "1.5MiB", None, False])
def test_what_is_no_size_is_refused(value: object):
    with pytest.raises(ValueError, match="is no size: write one like"):
        parse_size(value)


def test_a_bare_size_is_refused_with_the_right_form():
    with pytest.raises(ValueError, match='needs a unit: write "64B" or "64KiB"'):
        parse_size(64)
