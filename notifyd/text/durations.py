"""Durations and sizes as people write them: with a unit, never a bare number."""

import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "KB": 10**3, "MB": 10**6}
_DURATION = re.compile(r"(?:[0-9]{1,12}(?:\.[0-9]{1,9})?(?:ms|[smhdw]))+")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[smhdw])")
_SIZE = re.compile(r"([0-9]{1,12})\s*(B|KiB|MiB|GiB|KB|MB)")
_LONGEST = 100 * 365 * _SECONDS["d"]


def parse_duration(value: object) -> float:
    """Read "500ms", "2s", "1h30m" as seconds; ValueError says what the right form is."""
    if isinstance(value, str) and _DURATION.fullmatch(text := value.replace(" ", "")):
        total = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
        if total > _LONGEST:
            raise ValueError("is longer than a hundred years")
        return total
    bare = isinstance(value, (int, float)) and not isinstance(value, bool)
    raise ValueError(
        f'needs a unit: write "{value}s" or "{value}m"'
        if bare
        else 'is no duration: write one like "500ms", "2s", "5m", "1h30m" or "1d"'
    )


def parse_size(value: object) -> int:
    """Read "64KiB" or "10MiB" as bytes; ValueError says what the right form is."""
    if isinstance(value, str) and (found := _SIZE.fullmatch(value.strip())):
        return int(found[1]) * _BYTES[found[2]]
    bare = isinstance(value, int) and not isinstance(value, bool)
    raise ValueError(
        f'needs a unit: write "{value}B" or "{value}KiB"'
        if bare
        else 'is no size: write one like "64KiB" or "10MiB"'
    )


def format_duration(value: float) -> str:
    """Write seconds as a duration that `seconds` reads again: 5400 → "1h30m", 1.5 → "1.5s"."""
    if value < 1:
        return f"{round(value * 1000)}ms" if value else "0s"
    if value < 10 and value % 1:  # noqa: PLR2004 - above ten seconds nobody reads the tenths
        return f"{value:.1f}s"
    left, parts = round(value), []
    for unit in ("d", "h", "m", "s"):
        number, left = divmod(left, int(_SECONDS[unit]))
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts)


def format_size(value: int) -> str:
    """Write bytes as a size that `size` reads again: 65536 → "64KiB"."""
    for unit in ("GiB", "MiB", "KiB"):
        if value and value % _BYTES[unit] == 0:
            return f"{value // _BYTES[unit]}{unit}"
    return f"{value}B"
