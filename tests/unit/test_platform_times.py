"""Times in the platform's answers: which numbers are times, and what stands beside them."""

import pytest

from notifyd.cli.platform_times import with_iso_times

TIME = 1_700_000_000
ISO = "2023-11-14T22:13:20.000+00:00"


@pytest.mark.parametrize("key", ["created_at", "createdAt", "lastUsedAt", "Timestamp", "expires"])
@pytest.mark.parametrize("value", [TIME, TIME * 1000])
def test_a_time_is_also_shown_as_text(key, value):
    assert with_iso_times([{key: value}]) == [{key: value, f"{key}_iso": ISO}]


@pytest.mark.parametrize("key", ["heartbeat", "format", "repeat", "size", "AT"])
def test_other_numbers_are_left_alone(key):
    assert with_iso_times({key: TIME}) == {key: TIME}


@pytest.mark.parametrize("value", [0, 42, 10**14, True, None, "2023"])
def test_a_value_that_is_no_time_is_left_alone(value):
    assert with_iso_times({"created_at": value}) == {"created_at": value}


def test_a_text_that_is_there_already_is_kept():
    answer = {"created_at": TIME, "created_at_iso": "theirs"}
    assert with_iso_times(answer) == answer
