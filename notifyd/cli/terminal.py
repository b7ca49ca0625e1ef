"""How the commands write times, durations and other people's text for a person to read."""

import json
import time

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def shown(text: object) -> str:
    """Keep a title on one line, and its control characters from the terminal."""
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(str(text).split()))


def lasting(value: object) -> str:
    """Write seconds by their two largest units: 93784 → "1d 2h"."""
    if not isinstance(value, (int, float)):
        return "?"
    left = max(int(value), 0)
    parts: list[str] = []
    for size, unit in _UNITS:
        number, left = divmod(left, size)
        if number or (unit == "s" and not parts):
            parts.append(f"{number}{unit}")
    return " ".join(parts[:2])


def clock(value: object) -> str:
    """Write seconds since the epoch as local date and time; what is no number as it is."""
    if not isinstance(value, (int, float)):
        return shown(value) if value else "?"
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(value))


def table(rows: list[list[str]]) -> str:
    """Line columns up; the last one is as long as it likes."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
