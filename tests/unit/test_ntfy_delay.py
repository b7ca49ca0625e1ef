"""The forms of ntfy's Delay, At and In."""

from datetime import datetime

import pytest

from notifyd.api.compat.ntfy_delay import parse_delay

NOW = datetime(2026, 11, 25, 14, 30).timestamp()  # noqa: DTZ001 - a Wednesday, in local time
HOUR, DAY = 3600.0, 86_400.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30m", 1800),
        ("30min", 1800),
        ("30 Minutes", 1800),
        ("2 hours", 2 * HOUR),
        ("in 2 days", 2 * DAY),
        ("1 sec", 1),
        ("1h30m", 1.5 * HOUR),
        ("500ms", 0.5),
        (str(int(NOW) + 90), 90),
        ("3:30pm", HOUR),
        ("15:30", HOUR),
        ("at 4pm", 1.5 * HOUR),
        ("9am", 18.5 * HOUR),
        ("12am", 9.5 * HOUR),
        ("12pm", 21.5 * HOUR),
        ("today, 15:30", HOUR),
        ("tomorrow, 10am", 19.5 * HOUR),
        ("Tomorrow 15:30", DAY + HOUR),
        ("10am tomorrow", 19.5 * HOUR),
        ("Wednesday, 3:30pm", HOUR),
        ("wednesday 2pm", 7 * DAY - HOUR / 2),
        ("Monday, 10:30am", 5 * DAY - 4 * HOUR),
    ],
)
def test_a_time_is_understood(text, seconds):
    assert parse_delay(text, NOW) == seconds


@pytest.mark.parametrize(
    "text",
    ["soon", "10", "1", "today, 9am", "25:00", "10:99", "13pm", "0am", "3", "Monday", "10 11",
     "monday 10am tuesday", "-5m", "9" * 12 + " days ago", "٣ days"],
)  # fmt: skip
def test_what_is_past_or_no_time_is_refused(text):
    with pytest.raises(ValueError, match=r"is in the past|is not understood"):
        parse_delay(text, NOW)
