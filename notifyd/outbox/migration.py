"""Bringing a database up to this version's schema: the files in `migrations`, in their order."""

import sqlite3
from contextlib import closing
from importlib import resources
from pathlib import Path

SCHEMA = 2
"""What this notifyd writes; kept in the database as its `user_version`."""


def version(connection: sqlite3.Connection) -> int:
    """Tell the schema of a database; 0 for a new one."""
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return found


def migrate(writer: sqlite3.Connection) -> None:
    """Take all the steps that are missing, in one transaction: after a kill it is old or new."""
    missing = [_script(number) for number in range(version(writer) + 1, SCHEMA + 1)]
    if not missing:
        return
    steps = "\n".join(missing)
    try:
        writer.executescript(f"BEGIN IMMEDIATE;\n{steps}\nPRAGMA user_version = {SCHEMA};\nCOMMIT;")
    finally:
        if writer.in_transaction:
            writer.execute("ROLLBACK")


def _script(number: int) -> str:
    folder = resources.files("notifyd.outbox").joinpath("migrations")
    (file,) = (file for file in folder.iterdir() if file.name.startswith(f"{number:04}_"))
    return file.read_text()


def first_tables(path: Path) -> bytes:
    """Make a new database of the tables alone; its first page tells where each begins.

    Later steps may add tables behind these, and must never move them: `salvage` relies on it.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as fresh:
        fresh.executescript(_script(1))
        indices = fresh.execute("SELECT name FROM sqlite_schema WHERE sql LIKE 'CREATE INDEX%'")
        for (name,) in indices.fetchall():
            fresh.execute(f"DROP INDEX {name}")
        (size,) = fresh.execute("PRAGMA page_size").fetchone()
    return path.read_bytes()[:size]
