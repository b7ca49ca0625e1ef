"""The database and its one writer. A commit is durable when it returns (WAL, full sync).

Power may fail at any moment: the database stays consistent and holds every commit that returned. A
damaged database is recovered, at the start or later; one that was deleted or replaced is restored.
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Self, TypeVar

import structlog

from notifyd.model.errors import (
    DatabaseDamagedError,
    NotificationMissingError,
    StoreError,
    StoreUnavailableError,
)
from notifyd.model.notifications import Incident, Json, Notification, Payload, Status
from notifyd.outbox import queries, reconcile, rows
from notifyd.outbox.commit import Commit, prune, transaction, write_commit
from notifyd.outbox.database import connect, open_database, translate_errors
from notifyd.outbox.location import DatabaseFile
from notifyd.outbox.quarantine import swap_in
from notifyd.outbox.reconcile import RunningState, StoredState
from notifyd.outbox.recovery.recover import recover

T = TypeVar("T")
log = structlog.get_logger()


class OutboxStore:
    """Opened once per process; the state directory is locked against a second one.

    Writes run on one thread, reads on another. A read fetches all rows at once: an open cursor
    would keep the write-ahead log from shrinking.
    """

    def __init__(self, folder: Path, wall: Callable[[], float] = time.time) -> None:
        """Open, recover or create the database. wall: the clock that dates incidents.

        Raises InUseError, StoreError or StoreUnavailableError if that is not possible.
        """
        self._file, self._wall = DatabaseFile(folder), wall
        self.path = self._file.path
        self._writer_thread = ThreadPoolExecutor(1, "store")
        self._reader_thread = ThreadPoolExecutor(1, "store-reader")
        self._reader_lock = threading.Lock()
        """Held during a read, and while the connections are replaced."""
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._damage = ""
        """Why the database has to be repaired before the next write."""
        self._is_recovered = False
        """Whether the repair has recovered the file, and only reconciling is left."""
        self._incidents: list[Incident] = []
        self._pruning: asyncio.Task[None] | None = None
        try:
            self._open_or_recover()
        except BaseException:
            self._file.close()
            raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._pruning is not None:
            self._pruning.cancel()
            await asyncio.wait({self._pruning})
        await self._run_on(self._writer_thread, self._close)
        self._reader_thread.shutdown()
        self._writer_thread.shutdown()
        self._file.close()

    async def load(self) -> StoredState:
        return await self._write(lambda writer: reconcile.load(writer, self._wall()))

    async def load_checkpoints(self) -> dict[str, str]:
        return await self._read(reconcile.load_checkpoints)

    async def commit(self, commit: Commit) -> None:
        """Write all of it or nothing.

        Raises StoreUnavailableError if it may succeed later, DatabaseDamagedError if `repair`
        comes first, ConcurrentUpdateError if a retried notification has changed.
        """
        has_more = await self._write(lambda writer: write_commit(writer, commit))
        if has_more and (self._pruning is None or self._pruning.done()):
            self._pruning = asyncio.create_task(self._prune(commit.prune_before or 0.0))

    async def repair(self, running: RunningState) -> None:
        """Recover the damaged database and write over it what the process knows."""
        await self._run_on(self._writer_thread, lambda: self._repair(running))

    def take_incidents(self) -> list[Incident]:
        """Return what happened to the database since the last call."""
        taken, self._incidents = self._incidents, []
        return taken

    def is_file_gone(self) -> bool:
        """Whether the database was deleted or replaced; the next commit restores it."""
        return self._file.is_gone()

    async def find(self, notification_id: str) -> Notification | None:
        """Read a notification; None if there is none, or its row is damaged."""
        row = await self._find_row(notification_id)
        return None if row is None else _decode_or_none(row)

    async def find_by_status(
        self, *, uid: int | None, status: Status, limit: int
    ) -> list[Notification]:
        """Read notifications with this status, oldest first; uid None means everyone's."""
        parameters = {"uid": uid, "status": status.value, "limit": limit}
        found = await self._read(
            lambda reader: reader.execute(queries.FIND_BY_STATUS, parameters).fetchall()
        )
        return [decoded for row in found if (decoded := _decode_or_none(row)) is not None]

    async def payload(self, notification_id: str) -> Payload:
        """Read the text to send; NotificationMissingError if the database no longer has it."""
        row = await self._find_row(notification_id)
        if row is None:
            raise NotificationMissingError(f"it is no longer in {self.path}")
        try:
            return rows.decode_payload(row)
        except ValueError as error:
            raise NotificationMissingError(
                f"its text in {self.path} is damaged ({error})"
            ) from error

    async def describe(self, notification_id: str) -> Json | None:
        """Read a notification as the local API shows it."""
        row = await self._find_row(notification_id)
        return None if row is None else rows.to_json(row)

    async def describe_newest(
        self,
        *,
        uid: int | None,
        status: Status | None,
        limit: int,
        trigger: str | None = None,
        created: float | None = None,
    ) -> list[Json]:
        """Read the newest notifications as the local API shows them; None means any.

        created: the earliest time, in wall-clock seconds.
        """
        filters: dict[str, object] = {
            "uid": uid,
            "status": status and status.value,
            "trigger": trigger,
            "created": created,
        }
        query = queries.find_newest({name for name, value in filters.items() if value is not None})
        parameters = filters | {"limit": limit}
        found = await self._read(lambda reader: reader.execute(query, parameters).fetchall())
        return [rows.to_json(row) for row in found]

    async def count_by_trigger(self, since: float) -> dict[str, int]:
        """Count the notifications of each trigger since a time in wall-clock seconds.

        With a connection of its own: what it would leave in the cache of the other one can hide
        that the file was damaged meanwhile.
        """

        def read() -> list[sqlite3.Row]:
            with closing(connect(self.path, read_only=True)) as reader:
                return reader.execute(queries.COUNT_BY_TRIGGER, (since,)).fetchall()

        found = await self._run_on(self._reader_thread, read)
        return dict(map(tuple, found))

    async def _find_row(self, notification_id: str) -> sqlite3.Row | None:
        def read(reader: sqlite3.Connection) -> sqlite3.Row | None:
            found = reader.execute(queries.FIND, (notification_id,)).fetchall()
            return found[0] if found else None

        return await self._read(read)

    async def _prune(self, before: float) -> None:
        """Delete the rest of what history need not keep, with commits in between."""
        with suppress(StoreUnavailableError):  # the next commit with `prune_before` continues
            while await self._write(lambda writer: transaction(writer, prune, before)):
                pass

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def read() -> T:
            with self._reader_lock:
                return work(_require_open(self._reader, self.path))

        return await self._run_on(self._reader_thread, read)

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def write() -> T:
            self._ensure_in_place()
            return work(_require_open(self._writer, self.path))

        return await self._run_on(self._writer_thread, write)

    async def _run_on(self, thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(thread, translate_errors, work, self.path)
        except DatabaseDamagedError as error:
            self._damage = self._damage or str(error)
            raise
        except StoreError as error:  # once the daemon runs, any reason may pass
            raise StoreUnavailableError(str(error)) from error

    # on the writer's thread

    def _ensure_in_place(self) -> None:
        """Before a write, make sure that the next process will find it at the path."""
        if self._damage:
            raise DatabaseDamagedError(self._damage)
        if self._writer is None:
            self._open()
        elif self._file.is_gone():
            self._restore_file(self._writer)
        else:
            self._file.ensure_locked()

    def _restore_file(self, writer: sqlite3.Connection) -> None:
        self._file.ensure_locked()
        incident = reconcile.copy_open_database(writer, self.path, self._wall())
        with self._reader_lock:
            swap_in(self.path)
            self._close_both()
            self._open()
        self._record(incident)

    def _repair(self, running: RunningState) -> None:
        if not self._is_recovered:
            self._close()
            self._recover()
            self._is_recovered = True
        try:
            if self._writer is None:
                self._open()
            writer, wall = _require_open(self._writer, self.path), self._wall()
            translate_errors(
                lambda: transaction(writer, reconcile.reconcile, running, wall), self.path
            )
        except DatabaseDamagedError:
            self._is_recovered = False
            raise
        self._damage, self._is_recovered = "", False

    def _recover(self) -> None:
        incident = recover(self.path, self._wall())
        swap_in(self.path)
        self._record(incident)

    def _record(self, incident: Incident) -> None:
        log.error(incident.title, what=incident.message)
        self._incidents.append(incident)

    def _open_or_recover(self) -> None:
        try:
            swap_in(self.path)  # if a kill interrupted the last exchange
            self._open()
        except DatabaseDamagedError:
            self._recover()
            self._incidents.clear()  # the new database holds the incident, even after a kill
            self._open()

    def _open(self) -> None:
        writer = open_database(self.path)
        try:
            reader = connect(self.path)
            reader.execute("PRAGMA query_only = 1")
            # The first query opens the files, so that reads go on if they are deleted.
            reader.execute("SELECT count(*) FROM notifications WHERE id = ''").fetchall()
        except BaseException:
            writer.close()
            raise
        self._writer, self._reader = writer, reader
        self._file.mark_opened()

    def _close(self) -> None:
        with self._reader_lock:
            self._close_both()

    def _close_both(self) -> None:
        """Close the reader first: the last connection to close removes the write-ahead log."""
        for connection in (self._reader, self._writer):
            if connection is not None:
                connection.close()
        self._reader = self._writer = None


def _decode_or_none(row: sqlite3.Row) -> Notification | None:
    try:
        return rows.decode(row)
    except ValueError:
        return None


def _require_open(connection: sqlite3.Connection | None, path: Path) -> sqlite3.Connection:
    if connection is None:
        raise StoreUnavailableError(f"{path} is not open at the moment; the log says why")
    return connection
