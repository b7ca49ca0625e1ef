"""Opening the database: its schema, its integrity, and SQLite's errors as sentences for users."""

import errno
import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing, suppress
from importlib import resources
from pathlib import Path
from typing import TypeVar

from notifyd.model.errors import DatabaseDamagedError, StoreError, StoreUnavailableError
from notifyd.outbox.location import DATABASE_NAME
from notifyd.outbox.recovery import wal

SCHEMA = 2
"""The schema that this notifyd writes, by the number of its last migration.

The database holds it as its `user_version`.
"""
WAL_LIMIT = 4 << 20
"""Bytes to which the write-ahead log shrinks after a burst."""

T = TypeVar("T")

_MAGIC = b"SQLite format 3\0"
_HEADER_SIZE = 100
_USER_VERSION = slice(60, 64)
"""Where the header of a database file holds `user_version`: sqlite.org/fileformat2.html."""
_NOT_REGULAR = (errno.ELOOP, errno.EISDIR, errno.ENXIO)
"""Error numbers of opening a link, a directory, and a socket or a device without a driver."""
_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_UNAVAILABLE = {
    "SQLITE_FULL": "the disk is full: free some space",
    "SQLITE_IOERR_SHMSIZE": "the disk is full: free some space",  # no room for the -shm file
    "SQLITE_READONLY": "it is read-only: make its file system writable for this user",
    "SQLITE_IOERR": "the disk reports I/O errors: check the kernel log",
    "SQLITE_BUSY": "another program has locked it: stop that program",
    "SQLITE_LOCKED": "another program has locked it: stop that program",
    "SQLITE_CANTOPEN": (
        "it cannot be opened: check that its directory exists and this user can write to it"
    ),
    "SQLITE_NOMEM": "out of memory",
}


LOCK_WAIT = 2.0
"""Seconds that a statement waits for another program's lock."""


def connect(path: Path, *, read_only: bool = False, immutable: bool = False) -> sqlite3.Connection:
    """Connect to the file. read_only: change neither it nor its -wal, not even on closing.

    immutable: nobody writes to it meanwhile, so no file is created beside it.
    """
    mode = "ro" if read_only else "rwc"
    address = f"{path.absolute().as_uri()}?mode={mode}{'&immutable=1' if immutable else ''}"
    connection = sqlite3.connect(
        address, uri=True, isolation_level=None, check_same_thread=False, timeout=LOCK_WAIT
    )
    connection.row_factory = sqlite3.Row
    connection.text_factory = _decode_text
    return connection


def _decode_text(raw: bytes) -> str:
    return raw.decode(errors="replace")  # damaged text must not hide the other columns


def open_database(path: Path) -> sqlite3.Connection:
    """Open or create the database and migrate it to the current schema.

    Raises DatabaseDamagedError if it has to be recovered first, StoreError if a newer notifyd
    wrote it.
    """
    _touch(path, os.O_CREAT)
    translate_errors(lambda: _refuse_newer(path), path)
    return translate_errors(lambda: _open(path), path)


def check_database(folder: Path) -> None:
    """Raise what `open_database` would raise for a state directory's database, if it exists.

    Changes nothing. A damaged database is no mistake: it is recovered when it is opened.
    """
    path = folder / DATABASE_NAME
    if not os.path.lexists(path):
        return
    _touch(path, 0)
    with path.open("rb") as file:
        header = file.read(_HEADER_SIZE)
    wal_file = path.with_name(f"{path.name}-wal")
    if wal_file.exists() and wal_file.stat().st_size:  # it may hold a newer header
        with suppress(StoreUnavailableError):
            translate_errors(lambda: _refuse_newer(path), path)
    elif header.startswith(_MAGIC) and len(header) == _HEADER_SIZE:
        _refuse_schema(int.from_bytes(header[_USER_VERSION]), path)


def find_damage(folder: Path) -> str:
    """Return what is damaged in a state directory's database; empty if nothing is, or without one.

    Changes nothing. Nobody may have it open. One with a write-ahead log left over from a kill is
    not looked at, because reading it would create files.
    """
    path = folder / DATABASE_NAME
    wal_file = path.with_name(f"{path.name}-wal")
    if not path.exists() or (wal_file.exists() and wal_file.stat().st_size):
        return ""

    def check() -> str:
        with closing(connect(path, read_only=True, immutable=True)) as reader:
            (result,) = reader.execute("PRAGMA integrity_check(1)").fetchone()
        return "" if result == "ok" else " ".join(result.split())

    try:
        reason = translate_errors(check, path)
    except (DatabaseDamagedError, StoreUnavailableError) as error:
        return str(error).partition(";")[0]
    return f"{path} is damaged ({reason})" if reason else ""


def _touch(path: Path, flags: int) -> None:
    """Open a database file for writing and close it.

    Raise StoreError if that is not possible, or it is no regular file: a pipe would block for ever,
    and a link could lead to a file that is not to be changed.
    """
    flags |= os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
    move = "move it away, or set [state] dir to another directory"
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        if error.errno in _NOT_REGULAR:
            raise StoreError(f"{path} is not a regular file; {move}") from error
        raise StoreError(f"cannot open {path}: {error.strerror}; this user must own it") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise StoreError(f"{path} is not a regular file; {move}")
    finally:
        os.close(descriptor)


def _refuse_newer(path: Path) -> None:
    """Check the schema before anything is changed."""
    reader = connect(path, read_only=True)
    try:
        found = schema_of(reader)
    finally:
        reader.close()
    _refuse_schema(found, path)


def _refuse_schema(found: int, path: Path) -> None:
    if found > SCHEMA:
        raise StoreError(
            f"{path} was written by a newer notifyd (schema {found}, this one knows {SCHEMA}): "
            "install that version again, or set [state] dir to another directory"
        )


def _open(path: Path) -> sqlite3.Connection:
    if wal.has_lost_commits(path):
        raise DatabaseDamagedError(_damage_message(path, "its write-ahead log has a gap"))
    writer = connect(path)
    try:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("PRAGMA synchronous = FULL")
        writer.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT}")
        _check_integrity(writer, path)
        migrate(writer)
    except BaseException:
        writer.close()
        raise
    return writer


def _check_integrity(writer: sqlite3.Connection, path: Path) -> None:
    """Check every page before relying on any: 64 MiB take about 0.1 s."""
    (result,) = writer.execute("PRAGMA integrity_check(1)").fetchone()
    if result != "ok":
        raise DatabaseDamagedError(_damage_message(path, " ".join(result.split())))


def _damage_message(path: Path, reason: object) -> str:
    return f"{path} is damaged ({reason}); what can be read is being recovered"


def translate_errors(work: Callable[[], T], path: Path) -> T:
    """Run `work`; raise SQLite's errors as a DatabaseDamagedError or a StoreUnavailableError."""
    try:
        return work()
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", None) or type(error).__name__
        if name.startswith(_DAMAGED):
            raise DatabaseDamagedError(_damage_message(path, error)) from error
        for prefix, reason in _UNAVAILABLE.items():
            if name.startswith(prefix):
                raise StoreUnavailableError(f"cannot store anything in {path}: {reason}") from error
        raise StoreUnavailableError(f"cannot use {path}: {error} ({name})") from error


def schema_of(connection: sqlite3.Connection) -> int:
    """Return the number of a database's schema; 0 for a new one."""
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return found


def migrate(writer: sqlite3.Connection) -> None:
    """Run the missing migrations in one transaction: after a kill, the schema is old or new."""
    missing = [_migration(number) for number in range(schema_of(writer) + 1, SCHEMA + 1)]
    if not missing:
        return
    steps = "\n".join(missing)
    try:
        writer.executescript(f"BEGIN IMMEDIATE;\n{steps}\nPRAGMA user_version = {SCHEMA};\nCOMMIT;")
    finally:
        if writer.in_transaction:
            writer.execute("ROLLBACK")


def _migration(number: int) -> str:
    folder = resources.files("notifyd.outbox").joinpath("migrations")
    (file,) = (file for file in folder.iterdir() if file.name.startswith(f"{number:04}_"))
    return file.read_text()


def first_page(path: Path) -> bytes:
    """Return the first page of a new database at `path`, which locates the tables.

    Recovery relies on every migration leaving the tables of the first where they begin.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.executescript(_migration(1))
        indices = database.execute("SELECT name FROM sqlite_schema WHERE sql LIKE 'CREATE INDEX%'")
        for (name,) in indices.fetchall():
            database.execute(f"DROP INDEX {name}")
        (page_size,) = database.execute("PRAGMA page_size").fetchone()
    return path.read_bytes()[:page_size]
