"""One commit: what a step changes, and how it is written."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

from notifyd.model.errors import ConcurrentUpdateError
from notifyd.model.notifications import Notification
from notifyd.outbox import history, queries
from notifyd.outbox.queries import Entry

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Commit:
    """All that one step changes. clock: the reading to go on from. wall: when, for history.

    revived: rows that were over, as they must still be.
    """

    pieces: Mapping[str, str | None]
    positions: Mapping[str, str | None]
    entries: Sequence[Entry]
    clock: str
    wall: float
    forget: float | None = None
    revived: Sequence[Notification] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing but the clock reading would be written."""
        return not (self.pieces or self.positions or self.entries or self.forget is not None)


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


def write(writer: sqlite3.Connection, commit: Commit) -> bool:
    """Write all of it or nothing; StaleError when a revived row is no longer as it was."""
    return transaction(writer, _written, commit)


def _written(writer: sqlite3.Connection, commit: Commit) -> bool:
    """Write a commit; tells whether more of history has to go."""
    _check(writer, commit.revived)
    put(writer, "pieces", "name", {**commit.pieces, "clock": commit.clock})
    put(writer, "positions", "key", commit.positions)
    inserts = [(entry.row, entry.parcel) for entry in commit.entries if entry.parcel]
    updates = [entry.row for entry in commit.entries if not entry.parcel]
    writer.executemany(
        queries.INSERT,
        [queries.inserted(row, parcel, commit.wall) for row, parcel in inserts],
    )
    writer.executemany(queries.UPDATE, [queries.updated(row, commit.wall) for row in updates])
    return commit.forget is not None and history.forget(writer, commit.forget)


def _check(writer: sqlite3.Connection, revived: Sequence[Notification]) -> None:
    for row in revived:
        as_known = (row.id, row.status.value, row.attempts)
        if writer.execute(queries.STILL, as_known).fetchone() is None:
            raise ConcurrentUpdateError(row.id, row.attempts)


def put(writer: sqlite3.Connection, table: str, key: str, values: Mapping[str, str | None]) -> None:
    kept = [(name, value) for name, value in values.items() if value is not None]
    gone = [(name,) for name, value in values.items() if value is None]
    writer.executemany(f"INSERT OR REPLACE INTO {table} ({key}, value) VALUES (?, ?)", kept)  # noqa: S608
    writer.executemany(f"DELETE FROM {table} WHERE {key} = ?", gone)  # noqa: S608
