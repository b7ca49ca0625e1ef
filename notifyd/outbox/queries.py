"""The SQL statements of the store."""

from collections.abc import Collection
from functools import cache
from typing import Final

from notifyd.outbox.rows import COLUMNS

COLUMN_LIST: Final = ", ".join(f'"{name}"' for name in COLUMNS)

IS_WAITING: Final = "status IN ('held', 'queued', 'attempting')"
IS_FINISHED: Final = "status NOT IN ('held', 'queued', 'attempting')"
"""Written as in the partial indices of the schema: SQLite uses an index only for the same words."""

_FIXED: Final = ("id", "trigger", "created", "key", "uid", "gid", "pid")
"""Columns that keep the value they were inserted with."""

_REPLACE: Final = "ON CONFLICT (id) DO UPDATE SET " + ", ".join(
    f'"{name}" = excluded."{name}"' for name in COLUMNS if name not in _FIXED
)


@cache
def insert(count: int) -> str:
    """Return the statement for so many rows of `rows.encode`.

    A notification whose text changed replaces the row that it has already.
    """
    return f"INSERT INTO notifications ({COLUMN_LIST}) {_values(len(COLUMNS), count)} {_REPLACE}"


@cache
def put(table: str, key: str, count: int) -> str:
    """Return the statement that inserts or replaces so many pairs of a key and a value."""
    return f"INSERT OR REPLACE INTO {table} ({key}, value) {_values(2, count)}"


def _values(columns: int, count: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return f"VALUES {', '.join([row] * count)}"


UPDATE: Final = (
    "UPDATE notifications SET status = :status, count = :count, expires = :expires, "
    "release = :release, attempts = :attempts, failures = :failures, "
    '"group" = :group, last_error = :last_error, merged_into = :merged_into, report = :report, '
    "changed = :changed WHERE id = :id"
)
"""For `rows.encode_update`."""

FIND: Final = f"SELECT {COLUMN_LIST} FROM notifications WHERE id = ?"  # noqa: S608
FIND_WAITING: Final = (
    f"SELECT {COLUMN_LIST} FROM notifications WHERE {IS_WAITING} ORDER BY created, id"  # noqa: S608
)
FIND_BY_STATUS: Final = (
    f"SELECT {COLUMN_LIST} FROM notifications "  # noqa: S608
    "WHERE status = :status AND (:uid IS NULL OR uid = :uid) ORDER BY created, id LIMIT :limit"
)
IS_UNCHANGED: Final = "SELECT 1 FROM notifications WHERE id = ? AND status = ? AND attempts = ?"
MARK_FAILED: Final = "UPDATE notifications SET status = 'failed', last_error = ? WHERE id = ?"

OLDER_THAN: Final = (
    f"SELECT id FROM notifications WHERE {IS_FINISHED} AND changed < ? "  # noqa: S608
    "ORDER BY changed LIMIT ?"
)
BEYOND_NEWEST: Final = (
    f"SELECT id FROM notifications WHERE {IS_FINISHED} "  # noqa: S608
    "ORDER BY changed DESC LIMIT ? OFFSET ?"
)
OLDEST: Final = f"SELECT id FROM notifications WHERE {IS_FINISHED} ORDER BY changed LIMIT ?"  # noqa: S608

COUNT_BY_TRIGGER: Final = (
    "SELECT trigger, count(*) FROM notifications WHERE created >= ? GROUP BY trigger"
)


def find_newest(filters: Collection[str]) -> str:
    """Return the query for the newest notifications, written so that an index serves it.

    filters: which of uid, status, trigger and created, the earliest time, are parameters besides
    limit.
    """
    conditions = [f'"{name}" = :{name}' for name in sorted({*filters} - {"created"})]
    conditions += ["created >= :created"] * ("created" in filters)
    where = " AND ".join(conditions) or "true"
    return (
        f"SELECT {COLUMN_LIST} FROM notifications WHERE {where} "  # noqa: S608
        "ORDER BY created DESC, id DESC LIMIT :limit"
    )
