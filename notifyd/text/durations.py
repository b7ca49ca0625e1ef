"""Durations and sizes in the form people write: a number and a unit."""

import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "KB": 10**3, "MB": 10**6}
_DURATION = re.compile(r"(?:[0-9]{1,12}(?:\.[0-9]{1,9})?(?:ms|[smhdw]))+")
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[smhdw])")
_SIZE = re.compile(r"([0-9]{1,12})\s*(B|KiB|MiB|GiB|KB|MB)")
_BARE_NUMBER = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?")
_MAX_DURATION = 100 * 365 * _SECONDS["d"]


def parse_duration(value: object) -> float:
    """Convert "500ms", "2s" or "1h30m" to seconds.

    Raise ValueError with a message that shows the right form.
    """
    if isinstance(value, str) and _DURATION.fullmatch(text := value.replace(" ", "")):
        total = sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text))
        if total > _MAX_DURATION:
            raise ValueError("invalid duration: at most 100 years are allowed")
        return total
    if number := _bare_number(value):
        raise ValueError(f'invalid duration "{number}": add a unit, for example "{number}m"')
    raise ValueError(
        'invalid duration: use a number and a unit, for example "500ms", "30s", "5m" or "1h30m"'
    )


def parse_size(value: object) -> int:
    """Convert "64KiB" or "10MiB" to bytes.

    Raise ValueError with a message that shows the right form.
    """
    if isinstance(value, str) and (found := _SIZE.fullmatch(value.strip())):
        return int(found[1]) * _BYTES[found[2]]
    if number := _bare_number(value):
        raise ValueError(f'invalid size "{number}": add a unit, for example "{number}KiB"')
    raise ValueError('invalid size: use a number and a unit, for example "64KiB" or "10MiB"')


def format_duration(value: float) -> str:
    """Format seconds so that `parse_duration` accepts the result: 5400 → "1h30m", 1.5 → "1.5s"."""
    if value < 1:
        return f"{round(value * 1000)}ms" if value else "0s"
    if value < 10 and value % 1:  # noqa: PLR2004 - tenths matter only below ten seconds
        return f"{value:.1f}s"
    left, parts = round(value), []
    for unit in ("d", "h", "m", "s"):
        number, left = divmod(left, int(_SECONDS[unit]))
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts)


def format_rough(value: float) -> str:
    """Format seconds as briefly as a title needs: 93600 → "26h", 5400 → "1h30m", 4 days → "4d"."""
    minute, hour, day = _SECONDS["m"], _SECONDS["h"], _SECONDS["d"]
    for largest, unit in ((minute, 1.0), (10 * minute, 1.0), (hour, minute), (10 * hour, minute)):
        if value < largest:
            return format_duration(round(value / unit) * unit if value >= 1 else value)
    if value < 3 * day:
        return f"{round(value / hour)}h"
    return format_duration(round(value / hour) * hour if value < 10 * day else value // day * day)


def format_size(value: int) -> str:
    """Format bytes so that `parse_size` accepts the result: 65536 → "64KiB"."""
    for unit in ("GiB", "MiB", "KiB"):
        if value and value % _BYTES[unit] == 0:
            return f"{value // _BYTES[unit]}{unit}"
    return f"{value}B"


def _bare_number(value: object) -> str:
    """Return a number without a unit as text; empty for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return ""
    text = str(value).strip()
    return text if _BARE_NUMBER.fullmatch(text) else ""
