"""Windows of wall-clock time, compared with what the clock shows."""

import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifyd.model.time_windows import TimeWindow, combined_end
from support.examples import examples

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


def window(text, zone, days=range(7)):
    """Make a window of "02:30-04:00"."""
    start, end = (int(part[:2]) * 60 + int(part[3:]) for part in text.split("-"))
    return TimeWindow("w", ((start, end),), frozenset(days), zone)


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("times", "zone", "begins", "ends"),
    [
        # an hour is skipped
        ("02:30-04:00", "Europe/Berlin", "2026-03-29 01:00", "2026-03-29 02:00"),
        ("02:00-03:00", "Europe/Berlin", None, "2026-03-29 01:00"),
        ("01:30-02:30", "Europe/Berlin", "2026-03-29 00:30", "2026-03-29 01:00"),
        ("02:59-03:01", "America/New_York", "2026-03-08 07:00", "2026-03-08 07:01"),
        ("02:15-05:00", "Australia/Sydney", "2026-10-03 16:00", "2026-10-03 18:00"),
        # half an hour is skipped
        ("02:15-04:00", "Australia/Lord_Howe", "2026-10-03 15:30", "2026-10-03 17:00"),
        ("01:00-02:10", "Australia/Lord_Howe", "2026-10-03 14:30", "2026-10-03 15:30"),
        # the first hour of a day is skipped
        ("00:15-02:00", "Africa/Cairo", "2026-04-23 22:00", "2026-04-23 23:00"),
        ("00:30-06:00", "America/Santiago", "2026-09-06 04:00", "2026-09-06 09:00"),
        # the clocks go back for the month of Ramadan, and forward after it
        ("02:20-04:00", "Africa/Casablanca", "2025-04-06 02:00", "2025-04-06 03:00"),
        # a whole day is skipped
        ("22:00-07:00", "Pacific/Apia", "2011-12-30 10:00", "2011-12-30 17:00"),
    ],
)
def test_a_skipped_time_means_the_instant_of_the_change(times, zone, begins, ends):
    made = window(times, zone)
    end = utc(ends)
    assert made.span_end(end) == 0
    if begins is None:
        assert made.span_end(end - 1) == 0
        return
    begin = utc(begins)
    assert made.span_end(begin) == made.span_end(end - 1) == end
    assert made.span_end(begin - 1) in (0, begin)


@pytest.mark.parametrize(
    ("times", "zone", "begins", "ends"),
    [
        ("02:30-02:45", "Europe/Berlin", "2026-10-25 00:30", "2026-10-25 01:45"),
        ("01:00-01:30", "America/New_York", "2026-11-01 05:00", "2026-11-01 06:30"),
        ("01:40-03:00", "Australia/Lord_Howe", "2026-04-04 14:40", "2026-04-04 16:30"),
        ("02:10-04:00", "Africa/Casablanca", "2025-02-23 01:10", "2025-02-23 04:00"),
        ("22:00-23:30", "America/Havana", "2026-10-31 02:00", "2026-10-31 03:30"),
        ("23:30-00:30", "Asia/Beirut", "2026-10-24 20:30", "2026-10-24 22:30"),
        ("00:00-00:30", "America/Goose_Bay", "2010-11-07 03:00", "2010-11-07 04:30"),
    ],
)
def test_a_repeated_time_counts_from_the_first_to_the_last(times, zone, begins, ends):
    made = window(times, zone)
    begin, end = utc(begins), utc(ends)
    assert [made.span_end(at) for at in (begin - 1, end)] == [0, 0]
    for quarter in range(int(end - begin) // 900):
        assert made.span_end(begin + quarter * 900) == end


ZONES = [
    *("Europe/Berlin", "Europe/Dublin", "America/New_York", "America/St_Johns", "Asia/Tehran"),
    *("Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia", "America/Sao_Paulo"),
    *("Asia/Gaza", "America/Asuncion", "Pacific/Chatham", "Antarctica/Troll", "Africa/Cairo"),
    *("Asia/Beirut", "America/Godthab", "Europe/Chisinau", "Pacific/Norfolk", "Asia/Kathmandu"),
]


DAY = 86_400


def clock_changes(zone):
    """List times of the years 2010 to 2026 within a day before a zone's offset changed."""
    days = range(1_262_304_000, 1_798_761_600, DAY)
    offsets = [datetime.fromtimestamp(day, ZoneInfo(zone)).utcoffset() for day in days]
    return [
        (zone, day)
        for day, offset, later in zip(days, offsets, offsets[1:], strict=False)
        if later != offset
    ]


CHANGES = [change for zone in ZONES for change in clock_changes(zone)]


@given(
    st.sampled_from(CHANGES),
    st.integers(-DAY, 2 * DAY),
    st.integers(0, 1439),
    st.integers(1, 1440),
)
@examples(300, 3000)
def test_around_any_clock_change_what_the_clock_shows_decides(change, after, start, length):
    zone, at = change[0], change[1] + after
    until = window_of(start, length, zone).span_end(at)
    shown, before, later = (
        datetime.fromtimestamp(at + hours * 3600, ZoneInfo(zone)) for hours in (0, -5, 5)
    )
    is_shown_inside = (shown.hour * 60 + shown.minute - start) % 1440 < length
    if is_shown_inside:
        assert at < until <= at + 49 * 3600
    elif before.utcoffset() <= later.utcoffset():
        assert until == 0  # only where the clock is set back a span covers times outside it


def window_of(start, length, zone):
    return TimeWindow("w", ((start, (start + length) % 1440),), zone=zone)


def test_a_skipped_time_of_the_local_zone(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        made = window("02:30-04:00", "")
        assert made.span_end(utc("2026-03-29 01:10")) == utc("2026-03-29 02:00")
        assert made.span_end(utc("2026-03-29 00:59")) == 0
    finally:
        monkeypatch.undo()
        time.tzset()
