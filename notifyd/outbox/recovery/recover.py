"""Recovery: copying what can be read of a damaged database into a new one.

It works on a copy, so that the quarantined database keeps the evidence as it was. The tables are
read from both ends up to the damage; notifications behind it are read from their pages.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from notifyd.model.errors import StoreUnavailableError
from notifyd.model.notifications import Incident
from notifyd.outbox import queries, rows
from notifyd.outbox.database import connect, first_page, open_database, translate_errors
from notifyd.outbox.quarantine import fsync, quarantine_path, replacement_path, unused_second
from notifyd.outbox.recovery import wal
from notifyd.outbox.recovery.pages import DatabasePages

_TABLES = {
    "pieces": "name, value",
    "positions": "key, value",
    "notifications": queries.COLUMN_LIST,
}


@dataclass(slots=True)
class _Extent:
    """What could be read. has_tables: the tables were found. is_complete: nothing is missing."""

    has_tables: bool = True
    is_complete: bool = True


def recover(path: Path, wall: float) -> Incident:
    """Write what can be read of a damaged database to its replacement path, for `swap_in`.

    The database must not be open. wall: the time now. Returns an incident that describes the
    recovery; the new database holds it too. Raises StoreUnavailableError if the new database
    cannot be written.
    """
    wall = unused_second(path, wall)
    work = path.with_name(path.name + ".salvage")
    shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir(mode=0o700)
        copy, new = work / "damaged.db", work / "new.db"
        for suffix in ("", "-wal"):
            with suppress(FileNotFoundError):
                shutil.copyfile(path.with_name(path.name + suffix), work / f"damaged.db{suffix}")
        quarantine = quarantine_path(path, wall)
        incident = translate_errors(lambda: _copy_readable(copy, new, quarantine, wall), path)
        fsync(new)
        os.utime(new, (wall, wall))
        new.rename(replacement_path(path))
        fsync(path.parent)
    except OSError as error:
        raise StoreUnavailableError(
            f"{path} is damaged and cannot be recovered: {error.strerror}; "
            "free some space and check that this user can write to its directory"
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return incident


def _copy_readable(copy: Path, new: Path, quarantine: Path, wall: float) -> Incident:
    with closing(open_database(new)) as writer:
        writer.execute("BEGIN")
        has_gap = wal.restore_frames(copy)
        extent = _copy_tables(copy, writer)
        extent.is_complete = extent.is_complete and not has_gap
        if not extent.has_tables:
            _replace_first_page(copy)
            _copy_tables(copy, writer)
        if not extent.is_complete:
            pages = DatabasePages(copy.read_bytes())
            _insert_valid(writer, "notifications", pages.records(len(rows.COLUMNS)))
        sentence = _describe(writer, quarantine, extent)
        incident = Incident(wall, "notifyd recovered a damaged database", sentence)
        writer.execute("INSERT OR REPLACE INTO pieces VALUES (?, ?)", incident.entry)
        writer.execute("COMMIT")
    return incident


def _copy_tables(copy: Path, writer: sqlite3.Connection) -> _Extent:
    """Copy all tables, after merging the -wal into the copy as far as that is possible."""
    extent = _Extent()
    with closing(connect(copy)) as reader:
        reader.row_factory = None
        with suppress(sqlite3.Error):
            reader.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        for table, columns in _TABLES.items():
            for direction in ("ASC", "DESC"):
                query = f"SELECT {columns} FROM {table} ORDER BY 1 {direction}"  # noqa: S608
                if _insert_valid(writer, table, _read_until_damage(reader, query, extent)):
                    break
    return extent


def _read_until_damage(
    reader: sqlite3.Connection, query: str, extent: _Extent
) -> Iterator[tuple[object, ...] | None]:
    """Yield rows, and None at the end if damage hides the rest."""
    try:
        yield from reader.execute(query)
    except sqlite3.Error:
        extent.is_complete = False
        with suppress(sqlite3.Error):
            reader.execute(f"{query.partition(' ORDER')[0]} LIMIT 0")
            yield None
            return
        extent.has_tables = False
        yield None


def _insert_valid(
    writer: sqlite3.Connection, table: str, found: Iterable[tuple[object, ...] | None]
) -> bool:
    """Insert the rows that are valid and not there yet; return whether none was hidden."""
    is_complete = True
    columns = _TABLES[table]
    marks = ", ".join("?" * len(columns.split(", ")))
    insert = f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608
    for values in found:
        if values is None:
            is_complete = False
        elif _is_valid(table, values):
            writer.execute(insert, values)
    return is_complete


def _is_valid(table: str, values: tuple[object, ...]) -> bool:
    if table != "notifications":
        return all(isinstance(value, str) for value in values)
    try:
        rows.decode(dict(zip(rows.COLUMNS, values, strict=True)))
    except ValueError:
        return False
    return True


def _replace_first_page(copy: Path) -> None:
    """Write a valid first page into the copy: in every database the tables begin alike."""
    page = bytearray(first_page(copy.with_name("tables.db")))
    data = copy.read_bytes()
    pages = max(1, -(-len(data) // len(page)))
    page[18:20] = b"\x02\x02"  # there may be a write-ahead log
    page[24:28] = page[92:96] = (1).to_bytes(4, "big")
    page[28:32] = pages.to_bytes(4, "big")
    page[32:40] = bytes(8)  # which pages were free is no longer known
    copy.write_bytes(bytes(page) + data[len(page) :].ljust((pages - 1) * len(page), b"\0"))


def _describe(writer: sqlite3.Connection, quarantine: Path, extent: _Extent) -> str:
    waiting, finished, entries, checkpoints = (
        writer.execute(f"SELECT count(*) FROM {source}").fetchone()[0]  # noqa: S608
        for source in (
            f"notifications WHERE {queries.IS_WAITING}",
            f"notifications WHERE {queries.IS_FINISHED}",
            "pieces",
            "positions",
        )
    )
    rest = "Everything could be read" if extent.is_complete else "The rest could not be read"
    return (
        f"The database was damaged; it was moved to {quarantine}. Recovered: {waiting} waiting and "
        f"{finished} finished notifications, {entries} state entries, {checkpoints} checkpoints. "
        f"{rest}. Check the disk, and delete that file when you no longer need it."
    )
