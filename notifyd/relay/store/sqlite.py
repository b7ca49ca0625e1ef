"""The relay's database in a SQLite file. SQLite blocks, so threads of its own do all the work."""

import asyncio
import functools
import os
import re
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, nullcontext
from importlib import resources
from pathlib import Path
from typing import Literal, ParamSpec, Self, TypeVar

from notifyd.model.errors import StoreError, StoreUnavailableError
from notifyd.relay.store.availability import AvailabilityReporter
from notifyd.relay.store.base import Row, Transaction, Work

P = ParamSpec("P")
R = TypeVar("R")

_Database = Path | Literal[":memory:"]

VERSION = 6
"""Of the schema: the number of the last file in migrations/sqlite/, and of that in postgres/."""

_PARAMETER = re.compile(r"\$(\d+)")


class SqliteStore:
    """One thread and connection that write, and others that read.

    A database in memory has one connection only, so it does everything there.
    """

    def __init__(self, writer: "_Connection", reader: "_Connection") -> None:
        self._writer = writer
        self._reader = reader
        self._availability = AvailabilityReporter()

    @classmethod
    async def open(cls, database: _Database) -> Self:
        """Open or create the database, readable by its owner alone; StoreError when that fails."""
        writer = await _Connection.open(functools.partial(_connect, database))
        if not isinstance(database, Path):
            return cls(writer, writer)
        try:
            reader = await _Connection.open(functools.partial(_connect_reader, database))
        except BaseException:
            await writer.close()
            raise
        return cls(writer, reader)

    async def run(self, work: Work[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `work` in a transaction on the writing thread, and commit it to the disk."""
        try:
            result = await self._writer.run(lambda transaction: work(transaction, *args, **kwargs))
        except StoreUnavailableError as error:
            self._availability.report_failure(error)
            raise
        self._availability.report_success()
        return result

    async def read(self, work: Work[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `work` on the reading thread; it sees what was committed before."""
        return await self._reader.run(lambda transaction: work(transaction, *args, **kwargs))

    def watching(
        self, _wake: Callable[[], None], _position: Work[[], object]
    ) -> AbstractAsyncContextManager[None]:
        """Do nothing: one relay alone uses the file."""
        return nullcontext()

    async def close(self) -> None:
        await self._reader.close()
        if self._writer is not self._reader:
            await self._writer.close()


class SqliteTransaction:
    """The statements of one transaction. They block, so nothing that it returns is ever pending."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def fetch(self, query: str, *values: object) -> Sequence[Row]:
        return self._connection.execute(_numbered(query), values).fetchall()

    async def execute(self, query: str, *values: object) -> int:
        return self._connection.execute(_numbered(query), values).rowcount

    async def execute_many(self, query: str, rows: Iterable[Sequence[object]]) -> None:
        self._connection.executemany(_numbered(query), rows)

    def json_list(self, parameter: int) -> str:
        return f"json_each(${parameter})"

    def clock(self, parameter: int) -> str:
        return f"${parameter}"


class _Connection:
    """A connection and the one thread that may use it."""

    def __init__(
        self, connection: sqlite3.Connection, thread: ThreadPoolExecutor, begin: str
    ) -> None:
        self._connection = connection
        self._thread = thread
        self._begin = begin

    @classmethod
    async def open(cls, connect: Callable[[], tuple[sqlite3.Connection, str]]) -> Self:
        """connect: opens the connection, and says how its transactions begin."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="relay-store")
        try:
            connection, begin = await asyncio.get_running_loop().run_in_executor(thread, connect)
        except BaseException:
            thread.shutdown()
            raise
        return cls(connection, thread, begin)

    async def run(self, work: Callable[[Transaction], Awaitable[R]]) -> R:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, self._run, work)
        except sqlite3.OperationalError as error:
            raise StoreUnavailableError(
                f"the relay's database cannot be used ({error}); is the disk full or read-only?"
            ) from error

    def _run(self, work: Callable[[Transaction], Awaitable[R]]) -> R:
        self._connection.execute(self._begin)
        with self._connection:
            return complete(work(SqliteTransaction(self._connection)))

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown()


def complete(work: Awaitable[R]) -> R:
    """Run to its end what awaits only transactions of SQLite, which never wait."""
    steps = work.__await__()
    try:
        next(steps)
    except StopIteration as stop:
        result: R = stop.value
        return result
    raise RuntimeError("work in a transaction must await nothing else")


@functools.lru_cache(256)
def _numbered(query: str) -> str:
    """Write parameters as SQLite does: `$1` would be a name there."""
    return _PARAMETER.sub(r"?\1", query)


# --- opening; on the connection's own thread


def _connect(database: _Database) -> tuple[sqlite3.Connection, str]:
    try:
        if isinstance(database, Path):
            _create(database)
        connection = sqlite3.connect(database, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise StoreError(
            f"{database}: cannot be opened as the relay's database: {reason}; "
            "let this user write there, or name another file with --database"
        ) from error
    try:
        _prepare(connection, database)
    except BaseException:
        connection.close()
        raise
    return connection, "BEGIN IMMEDIATE"


def _connect_reader(database: Path) -> tuple[sqlite3.Connection, str]:
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA query_only = ON")
    return connection, "BEGIN"


def _create(database: Path) -> None:
    # SQLite gives its -wal and -shm files the mode of the database file.
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(database, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))


def _prepare(connection: sqlite3.Connection, database: _Database) -> None:
    try:
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise StoreError(f"{database}: written by a newer notifyd; update this one")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        _migrate(connection, version)
    except sqlite3.Error as error:
        raise StoreError(
            f"{database}: cannot be used as the relay's database ({error});"
            " name another file with --database"
        ) from error


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    """Apply the migrations after `version`, all of them or none."""
    numbers = range(version + 1, VERSION + 1)
    if not numbers:
        return
    folder = resources.files(__package__).joinpath("migrations", "sqlite")
    scripts = "".join(folder.joinpath(f"{number}.sql").read_text("utf-8") for number in numbers)
    connection.executescript(f"BEGIN IMMEDIATE; {scripts} PRAGMA user_version = {VERSION}; COMMIT;")
