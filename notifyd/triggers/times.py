"""Moments as a person reads them, in the machine's own time zone."""

import time

TIMES = "\N{MULTIPLICATION SIGN}"


def moment(wall: float, now: float) -> str:
    """Write 14:03:22, with the date before it if that is not today's."""
    then = time.localtime(wall)
    clock = time.strftime("%H:%M:%S", then)
    if then[:3] == time.localtime(now)[:3]:
        return clock
    return time.strftime("%Y-%m-%d ", then) + clock


def span(first: float, last: float, now: float) -> str:
    """Write "14:03:22" or "from 14:03:22 to 14:05:00"."""
    begin, end = moment(first, now), moment(last, now)
    return f"at {end}" if begin == end else f"from {begin} to {end}"
