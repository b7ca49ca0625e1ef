"""The relay's database. SQLite blocks, so one thread owns it and does all the work."""

import asyncio
import functools
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Concatenate, Literal, ParamSpec, Self, TypeVar

from notifyd.model.errors import StoreError, StoreUnavailableError

P = ParamSpec("P")
R = TypeVar("R")

Connection = sqlite3.Connection
Database = Path | Literal[":memory:"]

_VERSION = 2
"""Of the schema: the number of the last file in migrations/."""


class RelayStore:
    """Runs the functions of tokens.py, devices.py, … on the thread that owns the database."""

    def __init__(self, connection: Connection, thread: ThreadPoolExecutor) -> None:
        self._connection = connection
        self._thread = thread

    @classmethod
    async def open(cls, database: Database) -> Self:
        """Open or create the database, readable by its owner alone; StoreError when that fails."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="relay-store")
        loop = asyncio.get_running_loop()
        try:
            return cls(await loop.run_in_executor(thread, _connect, database), thread)
        except BaseException:
            thread.shutdown()
            raise

    async def run(
        self, work: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Call `work` with the connection; StoreUnavailableError when the disk refuses it."""
        call = functools.partial(work, self._connection, *args, **kwargs)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call)
        except sqlite3.OperationalError as error:
            raise StoreUnavailableError(
                f"the relay's database cannot be used ({error}); is the disk full or read-only?"
            ) from error

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown()


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        yield


def _connect(database: Database) -> Connection:
    try:
        if isinstance(database, Path):
            _create(database)
        connection = sqlite3.connect(database, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            f"{database}: cannot be opened as the relay's database: {error}"
        ) from error
    try:
        _prepare(connection, database)
    except BaseException:
        connection.close()
        raise
    return connection


def _create(database: Path) -> None:
    # SQLite gives its -wal and -shm files the mode of the database file.
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(database, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))


def _prepare(connection: Connection, database: Database) -> None:
    try:
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > _VERSION:
            raise StoreError(f"{database}: written by a newer notifyd; update this one")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        _migrate(connection, version)
    except sqlite3.Error as error:
        raise StoreError(
            f"{database}: cannot be used as the relay's database ({error});"
            " name another file with --database"
        ) from error


def _migrate(connection: Connection, version: int) -> None:
    """Apply the migrations after `version`, all of them or none."""
    numbers = range(version + 1, _VERSION + 1)
    if not numbers:
        return
    folder = resources.files(__package__).joinpath("migrations")
    scripts = "".join(folder.joinpath(f"{number}.sql").read_text("utf-8") for number in numbers)
    connection.executescript(
        f"BEGIN IMMEDIATE; {scripts} PRAGMA user_version = {_VERSION}; COMMIT;"
    )
