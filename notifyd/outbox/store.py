"""The one database and its one writer. A commit is durable when it returns (WAL, full sync).

Power may fail at any moment: the database is consistent, and holds every commit that returned. A
damaged database is salvaged, at the start or while running; one that was taken away is put back.
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Self, TypeVar

import structlog

from notifyd.model.errors import DamagedError, MissingError, StoreError, StoreUnavailableError
from notifyd.model.notifications import Incident, Json, Notification, Payload, Status
from notifyd.outbox import history, queries, reconcile
from notifyd.outbox.commit import Commit, transaction, write
from notifyd.outbox.database import connect, open_database, translated
from notifyd.outbox.location import DatabaseFile
from notifyd.outbox.quarantine import swap_in
from notifyd.outbox.reconcile import RunningState, StoredState
from notifyd.outbox.recovery.recover import recover

T = TypeVar("T")
log = structlog.get_logger()


class OutboxStore:
    """Opened once per process; the folder is locked against a second one.

    Every call runs on a thread of its own: one for writing, one for reading. Reads are fetched in
    full: an open one would keep the write-ahead log from shrinking.
    """

    def __init__(self, folder: Path, wall: Callable[[], float] = time.time) -> None:
        """Open, salvage or create it. wall: the clock by which incidents are told.

        Raises InUseError, StoreError or StoreUnavailableError where none of it can be done.
        """
        self._place, self._wall = DatabaseFile(folder), wall
        self.path = self._place.path
        self._writer_thread = ThreadPoolExecutor(1, "store")
        self._reader_thread = ThreadPoolExecutor(1, "store-reader")
        self._reading = threading.Lock()
        """Held by a read, and while the connections are replaced."""
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._damage = ""
        """Why it must be mended before anything else; salvaged: that part of it is done."""
        self._salvaged = False
        self._incidents: list[Incident] = []
        self._forgetting: asyncio.Task[None] | None = None
        try:
            self._open_or_salvage()
        except BaseException:
            self._place.close()
            raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._forgetting is not None:
            self._forgetting.cancel()
            await asyncio.wait({self._forgetting})
        await self._on(self._writer_thread, self._close)
        self._reader_thread.shutdown()
        self._writer_thread.shutdown()
        self._place.close()

    async def saved(self) -> StoredState:
        return await self._write(lambda writer: reconcile.saved(writer, self._wall()))

    async def positions(self) -> dict[str, str]:
        return await self._read(reconcile.positions)

    async def commit(self, commit: Commit) -> None:
        """Write all of it or nothing; StoreUnavailableError when it may succeed later.

        StaleError when a revived row is no longer as it was; DamagedError asks for `repair` first.
        """
        more = await self._write(lambda writer: write(writer, commit))
        if more and (self._forgetting is None or self._forgetting.done()):
            self._forgetting = asyncio.create_task(self._forget(commit.forget or 0.0))

    async def repair(self, known: RunningState) -> None:
        """Salvage the damaged database in its place; what is known of it here goes over that."""
        await self._on(self._writer_thread, lambda: self._repair(known))

    def take_incidents(self) -> list[Incident]:
        """Take what befell the store since this was asked last."""
        taken, self._incidents = self._incidents, []
        return taken

    def lost(self) -> bool:
        """Whether the database was taken away: then the next commit puts it back."""
        return self._place.lost()

    async def payload(self, notification_id: str) -> Payload:
        """Read what is to be sent; MissingError when history has forgotten it."""
        record = await self._one(notification_id)
        if record is None:
            raise MissingError(f"{self.path} no longer holds it")
        return queries.parcel_of(record)

    async def row(self, notification_id: str) -> Notification | None:
        record = await self._one(notification_id)
        return None if record is None else queries.row_of(record)

    async def finished(self, *, uid: int | None, status: Status, limit: int) -> list[Notification]:
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
        query = queries.newest(uid=uid is not None, status=status is not None)
        wanted = {"uid": uid, "status": status and status.value, "limit": limit}
        found = await self._read(lambda reader: reader.execute(query, wanted).fetchall())
        return [queries.shown(record) for record in found]

    async def _one(self, notification_id: str) -> sqlite3.Row | None:
        def read(reader: sqlite3.Connection) -> sqlite3.Row | None:
            records = reader.execute(queries.ONE, (notification_id,)).fetchall()
            return records[0] if records else None

        return await self._read(read)

    async def _forget(self, before: float) -> None:
        """Delete the rest of what history need not keep, commits going between."""
        with suppress(StoreUnavailableError):  # the next look at it goes on
            while await self._write(lambda writer: transaction(writer, history.forget, before)):
                pass

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def read() -> T:
            with self._reading:
                return work(_opened(self._reader, self.path))

        return await self._on(self._reader_thread, read)

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def attended() -> T:
            self._attend()
            return work(_opened(self._writer, self.path))

        return await self._on(self._writer_thread, attended)

    async def _on(self, thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(thread, translated, work, self.path)
        except DamagedError as error:
            self._damage = self._damage or str(error)
            raise
        except StoreError as error:  # while it runs, whatever it is may pass
            raise StoreUnavailableError(str(error)) from error

    # on the writer's thread

    def _attend(self) -> None:
        """See before a commit that it will be where the next process looks for it."""
        if self._damage:
            raise DamagedError(self._damage)
        if self._writer is None:
            self._open()
        elif self._place.lost():
            self._put_back(self._writer)
        else:
            self._place.hold()

    def _put_back(self, writer: sqlite3.Connection) -> None:
        self._place.hold()
        incident = reconcile.put_back(writer, self.path, self._wall())
        with self._reading:
            swap_in(self.path)
            self._close_both()
            self._open()
        log.error(incident.title, what=incident.message)
        self._incidents.append(incident)

    def _repair(self, known: RunningState) -> None:
        if not self._salvaged:
            self._close()
            self._salvage()
            self._salvaged = True
        try:
            if self._writer is None:
                self._open()
            writer, wall = _opened(self._writer, self.path), self._wall()
            translated(lambda: transaction(writer, reconcile.reconcile, known, wall), self.path)
        except DamagedError:
            self._salvaged = False
            raise
        self._damage, self._salvaged = "", False

    def _salvage(self) -> None:
        incident = recover(self.path, self._wall())
        swap_in(self.path)
        log.error(incident.title, what=incident.message)
        self._incidents.append(incident)

    def _open_or_salvage(self) -> None:
        try:
            swap_in(self.path)  # where a kill came between
            self._open()
        except DamagedError:
            self._salvage()
            self._incidents.clear()  # the new database tells of it, even if we are killed now
            self._open()

    def _open(self) -> None:
        writer = open_database(self.path)
        try:
            reader = connect(self.path)
            reader.execute("PRAGMA query_only = 1")
            # it holds all its files from now on, so that it reads on where they are deleted
            reader.execute("SELECT count(*) FROM notifications WHERE id = ''").fetchall()
        except BaseException:
            writer.close()
            raise
        self._writer, self._reader = writer, reader
        self._place.remember()

    def _close(self) -> None:
        with self._reading:
            self._close_both()

    def _close_both(self) -> None:
        """Close the reader first: the last to close tidies the write-ahead log away."""
        for connection in (self._reader, self._writer):
            if connection is not None:
                connection.close()
        self._reader = self._writer = None


def _opened(connection: sqlite3.Connection | None, path: Path) -> sqlite3.Connection:
    if connection is None:
        raise StoreUnavailableError(f"{path} is not open at the moment: look at the log for why")
    return connection
