"""Windows of wall-clock time, compared with what the clock shows."""

from datetime import datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from notifyd.model.time_windows import TimeWindow, combined_end

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = TimeWindow("night", ((22 * 60, 7 * 60),), zone="Europe/Berlin")
YEAR = (1_767_225_600, 1_798_761_600)
"""2026, in seconds since the epoch."""


def at(text, zone=BERLIN):
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@given(st.integers(*YEAR), st.integers(0, 1439), st.integers(1, 1439))
def test_a_time_is_inside_a_window_by_its_local_time(wall, start, length):
    end = (start + length) % 1440
    window = TimeWindow("w", ((start, end),), zone="Europe/Berlin")
    shown = datetime.fromtimestamp(wall, BERLIN)
    if shown.month in (3, 10) and shown.day >= 24:
        return  # the nights in which the clocks change have their own test
    minute = shown.hour * 60 + shown.minute
    inside = start <= minute < end if start < end else minute >= start or minute < end
    assert bool(window.span_end(wall)) is inside
    if inside:
        ending = datetime.fromtimestamp(window.span_end(wall), BERLIN)
        assert (ending.hour * 60 + ending.minute, ending.second) == (end, 0)
        assert 0 < window.span_end(wall) - wall <= 86_400


def test_the_start_is_inside_and_the_end_is_not():
    assert NIGHT.span_end(at("2026-06-01 21:59:59")) == 0
    assert NIGHT.span_end(at("2026-06-01 22:00")) == at("2026-06-02 07:00")
    assert NIGHT.span_end(at("2026-06-02 06:59:59")) == at("2026-06-02 07:00")
    assert NIGHT.span_end(at("2026-06-02 07:00")) == 0


def test_a_span_belongs_to_the_day_on_which_it_starts():
    weekdays = TimeWindow("w", NIGHT.spans, frozenset(range(5)), NIGHT.zone)
    assert weekdays.span_end(at("2026-06-06 03:00"))  # Saturday morning is Friday's night
    assert not weekdays.span_end(at("2026-06-06 23:00"))
    assert not weekdays.span_end(at("2026-06-08 03:00"))  # Monday morning is Sunday's


def test_a_night_with_a_clock_change_is_an_hour_shorter_or_longer():
    spring, autumn = at("2026-03-28 22:00"), at("2026-10-24 22:00")
    assert NIGHT.span_end(spring) - spring == 8 * 3600
    assert NIGHT.span_end(autumn) - autumn == 10 * 3600
    late = TimeWindow("late", ((150, 180),), zone="Europe/Berlin")  # 02:30 comes twice
    first, again = at("2026-10-25 02:30"), at("2026-10-25 02:45") + 3600
    assert late.span_end(first) == late.span_end(again) == at("2026-10-25 03:00")


def test_adjacent_windows_are_joined_for_at_most_a_week():
    noon = at("2026-06-01 12:00")
    day = TimeWindow("day", ((0, 1440),), frozenset({0}), "Europe/Berlin")
    early = TimeWindow("early", ((0, 480),), frozenset({1}), "Europe/Berlin")
    assert combined_end((day,), noon) == at("2026-06-02 00:00")
    assert combined_end((day, early), noon) == at("2026-06-02 08:00")
    assert combined_end((), noon) == 0
    always = TimeWindow("always", ((0, 1440),), zone="Europe/Berlin")
    assert combined_end((always,), noon) == noon + 7 * 86_400
