"""Writes output, and formats times, durations and untrusted text for people."""

import json
import os
import time

from notifyd.cli.exit_status import OutputError

TYPE_CHECKING = False  # importing typing takes too long
if TYPE_CHECKING:
    from typing import TextIO

_COLORS = {"red": 31, "green": 32, "yellow": 33, "cyan": 36}
_DROPPED = dict.fromkeys((0x061C, 0x200E, 0x200F, *range(0x2066, 0x206A)))
"""Marks that only set the direction of text."""
_UNLIMITED = 1 << 16
_GAP = 2
"""Columns between those of a table."""
_NARROWEST = 8
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def write(text: str) -> None:
    """Print a line. Raise OutputError if it cannot be written, BrokenPipeError if nobody reads."""
    _print(text + "\n")


def flush() -> None:
    """Write what is buffered, with the errors of `write`."""
    _print("", flush=True)


def _print(text: str, *, flush: bool = False) -> None:
    try:
        print(text, end="", flush=flush)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write the output: {error.strerror}") from None


def printable(text: object) -> str:
    """Return text as one line without control characters and direction marks."""
    line = " ".join(str(text).translate(_DROPPED).split())
    return "".join(c if c.isprintable() else "\ufffd" for c in line)


def display_width(text: str) -> int:
    """Return how many columns of a terminal a line takes. Source: Unicode Annex 11."""
    if text.isascii():
        return len(text)
    import unicodedata  # noqa: PLC0415 - `notifyd send` does not need it

    return sum(
        0
        if unicodedata.category(character) in ("Mn", "Me", "Cf")
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )


def truncate(text: str, width: int) -> str:
    """Cut a line to a number of columns, with an ellipsis at its end."""
    if display_width(text) <= width:
        return text
    kept = text[: width - 1]
    while display_width(kept) > width - 1:
        kept = kept[:-1]
    return f"{kept.rstrip()}…"


def terminal_width() -> int:
    """Return the columns of the terminal, or $COLUMNS; unlimited if the output is none."""
    import shutil  # noqa: PLC0415 - slow to import, and `notifyd send` does not need it

    return shutil.get_terminal_size((_UNLIMITED, 24)).columns


def colored(text: str, color: str, stream: "TextIO") -> str:
    """Color a text for a terminal; leave it alone for another stream, or if NO_COLOR is set."""
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    if not color or is_plain or not stream.isatty():
        return text
    return f"\x1b[{_COLORS[color]}m{text}\x1b[0m"


def quantity(number: object, noun: str, plural: str = "") -> str:
    """Return a number with its noun: "1 trigger", "2 triggers". plural: if it is not noun + "s"."""
    return f"{printable(number)} {noun if number == 1 else plural or f'{noun}s'}"


def format_elapsed(seconds: object) -> str:
    """Format seconds by their two largest units: 93784 → "1d 2h"; "?" if it is not a number."""
    if not isinstance(seconds, (int, float)):
        return "?"
    left = max(int(seconds), 0)
    parts: list[str] = []
    for size, unit in _UNITS:
        number, left = divmod(left, size)
        if number or (unit == "s" and not parts):
            parts.append(f"{number}{unit}")
    return " ".join(parts[:2])


def format_time(value: object) -> str:
    """Format seconds since the epoch as local date and time; anything else as text."""
    if not isinstance(value, (int, float)):
        return printable(value) if value else "?"
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(value))


def format_short_time(value: object) -> str:
    """Format a time of today as 14:03:22, of this year without the year, an older one as a date."""
    if not isinstance(value, (int, float)):
        return "?"
    then, today = time.localtime(value), time.localtime()
    if then[:3] == today[:3]:
        return time.strftime("%H:%M:%S", then)
    return time.strftime("%m-%d %H:%M" if then[0] == today[0] else "%Y-%m-%d", then)


def format_table(rows: list[list[str]], *, text: int | None = -1, width: int | None = None) -> str:
    """Align the columns of a table; all rows have the same length.

    text: the column that is cut if a line does not fit; None for whichever is the widest. It keeps
    8 characters. width: columns that a line may take, by default those of the terminal.
    """
    widths = [max(map(display_width, column)) for column in zip(*rows, strict=True)]
    limit = terminal_width() if width is None else width
    excess = sum(widths) + _GAP * (len(widths) - 1) - limit
    while excess > 0:
        column = widths.index(max(widths)) if text is None else text
        if widths[column] <= _NARROWEST:
            break
        widths[column] -= 1
        excess -= 1
    return "\n".join(
        "  ".join(
            cell + " " * (columns - display_width(cell))
            for cell, columns in zip(map(truncate, row, widths), widths, strict=True)
        ).rstrip()
        for row in rows
    )


def format_pairs(rows: list[list[str]]) -> str:
    """Align columns without cutting their text."""
    return format_table(rows, width=_UNLIMITED)


def format_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
