"""Opening the database, and what SQLite's errors mean for a person."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from notifyd.model.errors import DamagedError, StoreError, StoreUnavailableError
from notifyd.outbox.migration import SCHEMA, migrate, version
from notifyd.outbox.recovery import wal

WAL_KEPT = 4 << 20
"""Bytes to which the write-ahead log shrinks again after a burst."""

T = TypeVar("T")

_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_PASSING = {
    "SQLITE_FULL": "the disk is full: free some space",
    "SQLITE_IOERR_SHMSIZE": "the disk is full: free some space",  # there is no room for the -shm
    "SQLITE_READONLY": "it cannot be written: make its file system writable for this user",
    "SQLITE_IOERR": "the disk reports errors: look at the kernel's log",
    "SQLITE_BUSY": "another program has locked it: end that program",
    "SQLITE_LOCKED": "another program has locked it: end that program",
    "SQLITE_CANTOPEN": "it cannot be opened: see that its folder exists and this user may write it",
    "SQLITE_NOMEM": "there is no memory left",
}


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open it. read_only: neither it nor its -wal is changed, not even by closing it."""
    address = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
    connection = sqlite3.connect(
        address, uri=True, isolation_level=None, check_same_thread=False, timeout=2.0
    )
    connection.row_factory = sqlite3.Row
    connection.text_factory = _text
    return connection


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")  # damaged text must not hide what stands beside it


def open_database(path: Path) -> sqlite3.Connection:
    """Open or make it, and bring it up to date.

    Raises DamagedError where it must be salvaged first, StoreError where it is a newer one's.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreError(f"cannot open {path}: {error.strerror}; this user must own it") from error
    translated(lambda: _refuse_newer(path), path)
    return translated(lambda: _opened(path), path)


def _refuse_newer(path: Path) -> None:
    """Look at the version before anything is touched."""
    reader = connect(path, read_only=True)
    try:
        found = version(reader)
    finally:
        reader.close()
    if found > SCHEMA:
        raise StoreError(
            f"{path} was written by a newer notifyd (schema {found}, this one knows {SCHEMA}): "
            "install that version again, or set [state] dir to another folder"
        )


def _opened(path: Path) -> sqlite3.Connection:
    if wal.broken(path):
        raise DamagedError(_damaged(path, "its -wal has a hole"))
    writer = connect(path)
    try:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("PRAGMA synchronous = FULL")
        writer.execute(f"PRAGMA journal_size_limit = {WAL_KEPT}")
        _check(writer, path)
        migrate(writer)
    except BaseException:
        writer.close()
        raise
    return writer


def _check(writer: sqlite3.Connection, path: Path) -> None:
    """Look at every page before relying on any: 64 MiB take about 0.1 s."""
    (found,) = writer.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise DamagedError(_damaged(path, " ".join(found.split())))


def _damaged(path: Path, why: object) -> str:
    return f"{path} is damaged ({why}): what can be read of it is being saved"


def translated(work: Callable[[], T], path: Path) -> T:
    """Do some work on the database; its errors come out as ours, one sentence each."""
    try:
        return work()
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", None) or type(error).__name__
        if name.startswith(_DAMAGED):
            raise DamagedError(_damaged(path, error)) from error
        for prefix, sentence in _PASSING.items():
            if name.startswith(prefix):
                raise StoreUnavailableError(
                    f"cannot store anything in {path}: {sentence}"
                ) from error
        raise StoreUnavailableError(f"cannot use {path}: {error} ({name})") from error
