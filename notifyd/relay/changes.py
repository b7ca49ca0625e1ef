"""What a person does with notifications in the inbox: read, archive, delete, and undo.

Each change has a number, its revision. Pages ask for what has changed since the one they know.
"""

import json
from enum import StrEnum
from typing import NamedTuple

from notifyd.relay.store.base import Transaction, fetch_one

DELETED_KEPT = 600.0
"""Seconds for which deleting can be undone."""


class Action(StrEnum):
    READ = "read"
    UNREAD = "unread"
    ARCHIVE = "archive"
    UNARCHIVE = "unarchive"
    DELETE = "delete"
    RESTORE = "restore"


_COLUMNS = {
    Action.READ: "read_at",
    Action.UNREAD: "read_at",
    Action.ARCHIVE: "archived_at",
    Action.UNARCHIVE: "archived_at",
    Action.DELETE: "deleted_at",
    Action.RESTORE: "deleted_at",
}
_SETS = frozenset({Action.READ, Action.ARCHIVE, Action.DELETE})
"""Those that store a time; the others remove it."""


class AppliedChange(NamedTuple):
    """revision: of the change; 0 if nothing was changed. changed: how many notifications were."""

    revision: int
    changed: int


# --- inside a transaction of the store


async def apply(
    transaction: Transaction, action: Action, seqs: list[int], wall: float
) -> AppliedChange:
    """Apply an action to the notifications with these numbers."""
    numbers = transaction.json_list(2)
    condition = f"seq IN (SELECT CAST(value AS BIGINT) FROM {numbers})"
    return await _change(transaction, action, condition, json.dumps([str(s) for s in seqs]), wall)


async def read_all(transaction: Transaction, up_to: int, wall: float) -> AppliedChange:
    """Mark as read what is not archived, up to a number: what has come since is not read."""
    return await _change(transaction, Action.READ, "archived_at IS NULL AND seq <= $2", up_to, wall)


async def undo(
    transaction: Transaction, action: Action, revision: int, wall: float
) -> AppliedChange:
    """Apply the opposite action to what a change met, unless it was changed again since."""
    return await _change(transaction, action, "revision = $2", revision, wall)


async def newest_revision(transaction: Transaction) -> int:
    row = await fetch_one(transaction, "SELECT value FROM counters WHERE name = 'revision'")
    return row[0] if row else 0


async def purged_revision(transaction: Transaction) -> int:
    """Return the last revision of all that was deleted for good; 0 if nothing was."""
    row = await fetch_one(transaction, "SELECT value FROM counters WHERE name = 'purged'")
    return row[0] if row else 0


async def next_revision(transaction: Transaction) -> int:
    """Return a new revision. Changes are committed in the order of theirs."""
    query = "UPDATE counters SET value = value + 1 WHERE name = 'revision' RETURNING value"
    rows = await transaction.fetch(query)
    revision: int = rows[0][0]
    return revision


async def lock_order(transaction: Transaction) -> None:
    """Wait for all that changes notifications: from here on, numbers are committed in their order.

    Readers may then continue after the last number they saw. Whoever changes notifications locks
    them in this way, after rows of other tables and before their own.
    """
    await transaction.execute("UPDATE counters SET value = value WHERE name = 'revision'")


async def purge(transaction: Transaction, wall: float) -> None:
    """Delete for good what was deleted too long ago to be restored.

    The newest stays until another comes: pages resume after numbers up to the largest stored one.
    """
    rows = await transaction.fetch(
        "DELETE FROM notifications WHERE deleted_at <= $1"
        " AND seq < (SELECT max(seq) FROM notifications) RETURNING revision",
        wall - DELETED_KEPT,
    )
    if rows:
        await transaction.execute(
            "INSERT INTO counters (name, value) VALUES ('purged', $1) ON CONFLICT (name)"
            " DO UPDATE SET value = CASE WHEN excluded.value > counters.value"
            " THEN excluded.value ELSE counters.value END",
            max(row[0] for row in rows),
        )


async def _change(
    transaction: Transaction, action: Action, condition: str, value: object, wall: float
) -> AppliedChange:
    """condition: names `value` $2."""
    column, is_set = _COLUMNS[action], action in _SETS
    revision = await next_revision(transaction)
    count = await transaction.execute(
        f"UPDATE notifications SET {column} = CASE WHEN $4 = 1 THEN CAST($3 AS DOUBLE PRECISION)"
        " END, revision = $1"
        f" WHERE {condition} AND ({column} IS NULL) = ($4 = 1)",
        revision,
        value,
        wall,
        int(is_set),
    )
    return AppliedChange(revision if count else 0, count)
