"""The one database and its one writer. A commit is durable when it returns (WAL, full sync)."""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from notifyd.errors import MissingError, StaleError
from notifyd.model import Json, Parcel, Row, Status
from notifyd.outbox import queries
from notifyd.outbox.database import connect, open_database, translated
from notifyd.outbox.lock import lock_folder
from notifyd.outbox.queries import Entry

HISTORY_KEPT = 50_000
"""How many notifications are kept at most, whatever their age."""

T = TypeVar("T")


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
    revived: Sequence[Row] = ()


@dataclass(frozen=True, slots=True)
class Saved:
    """What the last process left."""

    pieces: dict[str, str]
    positions: dict[str, str]
    rows: list[Row]
    clock: str | None


class Store:
    """Opened once per process; the folder is locked against a second one.

    Every call runs on a thread of its own: one for writing, one for reading.
    """

    def __init__(self, folder: Path) -> None:
        """Open or create it: InUseError, StoreError or StoreUnavailableError where that fails."""
        self._lock = lock_folder(folder)
        self.path = folder / "notifyd.db"
        self._writer_thread = ThreadPoolExecutor(1, "store")
        self._reader_thread = ThreadPoolExecutor(1, "store-reader")
        try:
            self._writer = open_database(self.path)
            self._reader = connect(self.path)
            self._reader.execute("PRAGMA query_only = 1")
        except BaseException:
            os.close(self._lock)
            raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._read(lambda reader: reader.close())
        await self._write(lambda writer: writer.close())
        self._reader_thread.shutdown()
        self._writer_thread.shutdown()
        os.close(self._lock)

    async def saved(self) -> Saved:
        return await self._read(_saved)

    async def positions(self) -> dict[str, str]:
        return await self._read(_positions)

    async def commit(self, commit: Commit) -> None:
        """Write all of it or nothing; StoreUnavailableError when it may succeed later.

        StaleError when a revived row is no longer as it was.
        """
        await self._write(lambda writer: _commit(writer, commit))

    async def parcel(self, notification_id: str) -> Parcel:
        """Read what is to be sent; MissingError when history has forgotten it."""
        record = await self._one(notification_id)
        if record is None:
            raise MissingError(f"{self.path} no longer holds it")
        return queries.parcel_of(record)

    async def row(self, notification_id: str) -> Row | None:
        record = await self._one(notification_id)
        return None if record is None else queries.row_of(record)

    async def over(self, *, uid: int | None, status: Status, limit: int) -> list[Row]:
        """List those that ended so, the oldest first; uid None means everyone's."""
        wanted = {"uid": uid, "status": status.value, "limit": limit}
        found = await self._read(lambda reader: reader.execute(queries.OVER, wanted).fetchall())
        return [queries.row_of(record) for record in found]

    async def notification(self, notification_id: str) -> Json | None:
        record = await self._one(notification_id)
        return None if record is None else queries.shown(record)

    async def notifications(
        self, *, uid: int | None, status: Status | None, limit: int
    ) -> list[Json]:
        """List the newest; uid None means everyone's."""
        wanted = {"uid": uid, "status": status and status.value, "limit": limit}
        found = await self._read(lambda reader: reader.execute(queries.NEWEST, wanted).fetchall())
        return [queries.shown(record) for record in found]

    async def _one(self, notification_id: str) -> sqlite3.Row | None:
        def read(reader: sqlite3.Connection) -> sqlite3.Row | None:
            records = reader.execute(queries.ONE, (notification_id,)).fetchall()
            return records[0] if records else None

        return await self._read(read)

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await self._on(self._reader_thread, lambda: work(self._reader))

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await self._on(self._writer_thread, lambda: work(self._writer))

    async def _on(self, thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(thread, translated, work, self.path)


def _commit(writer: sqlite3.Connection, commit: Commit) -> None:
    writer.execute("BEGIN IMMEDIATE")
    try:
        _check(writer, commit.revived)
        _put(writer, "pieces", "name", {**commit.pieces, "clock": commit.clock})
        _put(writer, "positions", "key", commit.positions)
        inserts = [(entry.row, entry.parcel) for entry in commit.entries if entry.parcel]
        updates = [entry.row for entry in commit.entries if not entry.parcel]
        writer.executemany(
            queries.INSERT,
            [queries.inserted(row, parcel, commit.wall) for row, parcel in inserts],
        )
        writer.executemany(queries.UPDATE, [queries.updated(row, commit.wall) for row in updates])
        if commit.forget is not None:
            writer.execute(queries.FORGET, (commit.forget,))
            writer.execute(queries.CROWD, (HISTORY_KEPT,))
        writer.execute("COMMIT")
    except BaseException:
        if writer.in_transaction:
            writer.execute("ROLLBACK")
        raise


def _check(writer: sqlite3.Connection, revived: Sequence[Row]) -> None:
    for row in revived:
        as_known = (row.id, row.status.value, row.attempts)
        if writer.execute(queries.STILL, as_known).fetchone() is None:
            raise StaleError(row.id, row.attempts)


def _put(
    writer: sqlite3.Connection, table: str, key: str, values: Mapping[str, str | None]
) -> None:
    kept = [(name, value) for name, value in values.items() if value is not None]
    gone = [(name,) for name, value in values.items() if value is None]
    writer.executemany(f"INSERT OR REPLACE INTO {table} ({key}, value) VALUES (?, ?)", kept)  # noqa: S608
    writer.executemany(f"DELETE FROM {table} WHERE {key} = ?", gone)  # noqa: S608


def _saved(reader: sqlite3.Connection) -> Saved:
    pieces = dict(map(tuple, reader.execute("SELECT name, value FROM pieces")))
    rows = [queries.row_of(record) for record in reader.execute(queries.WAITING)]
    return Saved(pieces, _positions(reader), rows, pieces.pop("clock", None))


def _positions(reader: sqlite3.Connection) -> dict[str, str]:
    return dict(map(tuple, reader.execute("SELECT key, value FROM positions")))
