"""One commit: what a step changes, and how it is written and old history deleted."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Concatenate, ParamSpec, TypeVar

from notifyd.model.errors import ConcurrentUpdateError
from notifyd.model.notifications import Notification
from notifyd.outbox import queries
from notifyd.outbox.rows import OutboxEntry, encode, encode_update

MAX_FINISHED = 50_000
"""Finished notifications that history keeps, whatever their age."""
MAX_BYTES = 64 << 20
"""Size of the database above which the oldest history is deleted, whatever its age and number."""
PRUNED_AT_ONCE = 500
"""Notifications deleted in one transaction, so that no commit waits for long."""

_ROWS_AT_ONCE = (32, 16, 8, 4, 2, 1)
"""Rows of one statement: few numbers, so that all statements stay prepared."""

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Commit:
    """Everything that one step changes. A value of None deletes its entry.

    clock: the reading from which the next process continues. wall: the time of the step.
    prune_before: delete history that is older than this wall-clock time. retried: finished
    notifications that are sent again; the commit fails if one is no longer as it was read.
    """

    state_entries: Mapping[str, str | None]
    checkpoints: Mapping[str, str | None]
    outbox_entries: Sequence[OutboxEntry]
    clock: str
    wall: float
    prune_before: float | None = None
    retried: Sequence[Notification] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write but the clock reading."""
        return self.prune_before is None and not (
            self.state_entries or self.checkpoints or self.outbox_entries
        )


def transaction(
    writer: sqlite3.Connection,
    work: Callable[Concatenate[sqlite3.Connection, P], T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    writer.execute("BEGIN IMMEDIATE")
    try:
        result = work(writer, *args, **kwargs)
        writer.execute("COMMIT")
    except BaseException:
        if writer.in_transaction:
            writer.execute("ROLLBACK")
        raise
    return result


def write_commit(writer: sqlite3.Connection, commit: Commit) -> bool:
    """Write all of it or nothing; return whether more history is to be pruned.

    Raises ConcurrentUpdateError if a retried notification has changed since it was read.
    """
    return transaction(writer, _write, commit)


def _write(writer: sqlite3.Connection, commit: Commit) -> bool:
    for retried in commit.retried:
        expected = (retried.id, retried.status.value, retried.attempts)
        if writer.execute(queries.IS_UNCHANGED, expected).fetchone() is None:
            raise ConcurrentUpdateError(retried.id, retried.attempts)
    put_state_entries(writer, {**commit.state_entries, "clock": commit.clock})
    _put(writer, "positions", "key", commit.checkpoints)
    new = [
        encode(entry.notification, entry.payload, commit.wall)
        for entry in commit.outbox_entries
        if entry.payload is not None
    ]
    _insert(writer, queries.insert, new)
    writer.executemany(
        queries.UPDATE,
        [
            encode_update(entry.notification, commit.wall)
            for entry in commit.outbox_entries
            if entry.payload is None
        ],
    )
    return commit.prune_before is not None and prune(writer, commit.prune_before)


def put_state_entries(writer: sqlite3.Connection, entries: Mapping[str, str | None]) -> None:
    """Write entries of the fold's state by name; None deletes one."""
    _put(writer, "pieces", "name", entries)


def _put(
    writer: sqlite3.Connection, table: str, key: str, values: Mapping[str, str | None]
) -> None:
    put = [(name, value) for name, value in values.items() if value is not None]
    _insert(writer, partial(queries.put, table, key), put)
    writer.executemany(
        f"DELETE FROM {table} WHERE {key} = ?",  # noqa: S608
        [(name,) for name, value in values.items() if value is None],
    )


def _insert(
    writer: sqlite3.Connection,
    statement: Callable[[int], str],
    rows: Sequence[tuple[object, ...]],
) -> None:
    """Insert rows, several by one statement. statement: returns that for a number of rows.

    Each statement lets other threads run Python code meanwhile, and then waits for its turn.
    """
    start = 0
    while start < len(rows):
        count = next(count for count in _ROWS_AT_ONCE if count <= len(rows) - start)
        values = list(chain.from_iterable(rows[start : start + count]))
        writer.execute(statement(count), values)
        start += count


def prune(
    writer: sqlite3.Connection,
    before: float,
    *,
    max_finished: int = MAX_FINISHED,
    max_bytes: int = MAX_BYTES,
) -> bool:
    """Delete some history that is too old, too much or too large; return whether some was.

    before: the wall-clock time before which a finished notification is too old.
    """
    deleted = _delete(writer, queries.OLDER_THAN, (before, PRUNED_AT_ONCE))
    deleted = deleted or _delete(writer, queries.BEYOND_NEWEST, (PRUNED_AT_ONCE, max_finished))
    if not deleted and _used_bytes(writer) > max_bytes:
        deleted = _delete(writer, queries.OLDEST, (PRUNED_AT_ONCE,))
    return deleted > 0


def _delete(writer: sqlite3.Connection, ids: str, parameters: tuple[float, ...]) -> int:
    return writer.execute(f"DELETE FROM notifications WHERE id IN ({ids})", parameters).rowcount  # noqa: S608


def _used_bytes(writer: sqlite3.Connection) -> int:
    """Return the bytes in use: the file does not grow before its free pages are used again."""
    pages, free, page_size = (
        writer.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * page_size)
