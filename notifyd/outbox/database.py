"""Opening the database, and what SQLite's errors mean for a person."""

import os
import sqlite3
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import TypeVar

from notifyd.errors import StoreError, StoreUnavailableError

SCHEMA = 1

T = TypeVar("T")

_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_PASSING = {
    "SQLITE_FULL": "the disk is full: free some space",
    "SQLITE_READONLY": "it cannot be written: make its file system writable for this user",
    "SQLITE_IOERR": "the disk reports errors: look at the kernel's log",
    "SQLITE_BUSY": "another program has locked it: end that program",
    "SQLITE_LOCKED": "another program has locked it: end that program",
    "SQLITE_CANTOPEN": "it cannot be opened: see that its folder exists and this user may write it",
    "SQLITE_NOMEM": "there is no memory left",
}


def connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=2.0)
    connection.row_factory = sqlite3.Row
    return connection


def open_database(path: Path) -> sqlite3.Connection:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        return translated(lambda: _migrated(connect(path), path), path)
    except OSError as error:
        raise StoreError(f"cannot open {path}: {error.strerror}; this user must own it") from error


def _migrated(writer: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    (version,) = writer.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA:
        raise StoreError(
            f"{path} was written by a newer notifyd (schema {version}, this one knows {SCHEMA}): "
            "install that version again, or set [state] dir to another folder"
        )
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("PRAGMA synchronous = FULL")
    if version == 0:
        schema = resources.files("notifyd.outbox").joinpath("schema.sql").read_text()
        writer.executescript(f"BEGIN;\n{schema}\nPRAGMA user_version = {SCHEMA};\nCOMMIT;")
    return writer


def translated(work: Callable[[], T], path: Path) -> T:
    """Do some work on the database; its errors come out as ours, one sentence each."""
    try:
        return work()
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", None) or type(error).__name__
        if name.startswith(_DAMAGED):
            raise StoreError(
                f"{path} is damaged ({error}): move it away together with its -wal and -shm files, "
                "and notifyd starts with an empty one"
            ) from error
        for prefix, sentence in _PASSING.items():
            if name.startswith(prefix):
                raise StoreUnavailableError(
                    f"cannot store anything in {path}: {sentence}"
                ) from error
        raise StoreUnavailableError(f"cannot use {path}: {error} ({name})") from error
