"""What is kept of notifications that ended, and how the rest goes: a few at a time."""

import sqlite3
from typing import Final

KEPT = 50_000
"""How many are kept at most, whatever their age."""
BYTES = 64 << 20
"""How large the database may be before the oldest go, whatever their age and number."""
AT_ONCE = 500
"""How many go in one transaction, so that no commit waits for long."""

_ENDED: Final = "status NOT IN ('held', 'queued', 'attempting')"
_OLD: Final = (
    f"SELECT id FROM notifications WHERE {_ENDED} AND changed < ? ORDER BY changed LIMIT ?"  # noqa: S608
)
_CROWD: Final = (
    f"SELECT id FROM notifications WHERE {_ENDED} ORDER BY changed DESC LIMIT ? OFFSET ?"  # noqa: S608
)
_OLDEST: Final = f"SELECT id FROM notifications WHERE {_ENDED} ORDER BY changed LIMIT ?"  # noqa: S608


def forget(
    writer: sqlite3.Connection, before: float, *, kept: int = KEPT, size: int = BYTES
) -> bool:
    """Delete some of what is too old (wall-clock), too many, too large; tells if more has to go."""
    gone = _delete(writer, _OLD, (before, AT_ONCE)) or _delete(writer, _CROWD, (AT_ONCE, kept))
    if not gone and _used(writer) > size:
        gone = _delete(writer, _OLDEST, (AT_ONCE,))
    return gone > 0


def _delete(writer: sqlite3.Connection, query: str, values: tuple[float, ...]) -> int:
    return writer.execute(f"DELETE FROM notifications WHERE id IN ({query})", values).rowcount  # noqa: S608


def _used(writer: sqlite3.Connection) -> int:
    """Count the bytes in use; pages that became free are used again before the file grows."""
    pages, free, size = (
        writer.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
