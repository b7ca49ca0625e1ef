"""How a time is told in an answer."""

from datetime import UTC, datetime


def iso(wall: float) -> str:
    """Write seconds since the epoch as 2026-01-31T12:00:00.000Z."""
    text = datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def iso_or_none(wall: float | None) -> str | None:
    return None if wall is None else iso(wall)
