"""Saving what can be read of a damaged database into a new one.

It works on a copy, so that what is set aside later is the evidence as it was. The tables are read
from both ends up to the damage; notifications that lie behind it are taken from their pages.
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
from notifyd.outbox import queries
from notifyd.outbox.database import connect, open_database, translated
from notifyd.outbox.migration import first_tables
from notifyd.outbox.quarantine import free_second, quarantine_path, ready, synced
from notifyd.outbox.recovery import wal
from notifyd.outbox.recovery.pages import Pages

_COLUMNS = tuple(name.strip('"') for name in queries.COLUMNS.split(", "))
_TABLES = {"pieces": "name, value", "positions": "key, value", "notifications": queries.COLUMNS}


@dataclass(slots=True)
class _Reading:
    """How far the reading got. known: the tables can be found; whole: nothing was unreadable."""

    known: bool = True
    whole: bool = True


def recover(path: Path, wall: float) -> Incident:
    """Make a new database of what is readable of this one; `aside.install` puts it in its place.

    Nobody may have the damaged one open. wall: seconds, now. Returns what to tell about it, which
    is in the new database too. StoreUnavailableError where there is no room for all that.
    """
    wall = free_second(path, wall)
    work = path.with_name(path.name + ".salvage")
    shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir(mode=0o700)
        copy, new = work / "damaged.db", work / "new.db"
        for tail in ("", "-wal"):
            with suppress(FileNotFoundError):
                shutil.copyfile(path.with_name(path.name + tail), work / f"damaged.db{tail}")
        incident = translated(lambda: _moved(copy, new, quarantine_path(path, wall), wall), path)
        synced(new)
        os.utime(new, (wall, wall))
        new.rename(ready(path))
        synced(path.parent)
    except OSError as error:
        raise StoreUnavailableError(
            f"{path} is damaged, and what can be read of it cannot be saved: {error.strerror}; "
            "make room and see that this user may write its folder"
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return incident


def _moved(copy: Path, new: Path, place: Path, wall: float) -> Incident:
    with closing(open_database(new)) as writer:
        writer.execute("BEGIN")
        hole = wal.rescue(copy)
        reading = _walked(copy, writer)
        reading.whole = reading.whole and not hole
        if not reading.known:
            _graft(copy)
            _walked(copy, writer)
        if not reading.whole:
            pages = Pages(copy.read_bytes())
            _keep(writer, "notifications", pages.records(len(_COLUMNS)))
        incident = Incident(wall, "notifyd saved a damaged database", _told(writer, place, reading))
        writer.execute("INSERT OR REPLACE INTO pieces VALUES (?, ?)", incident.entry)
        writer.execute("COMMIT")
    return incident


def _walked(copy: Path, writer: sqlite3.Connection) -> _Reading:
    """Read all the tables; the copy then holds what was in its -wal, as far as that is possible."""
    reading = _Reading()
    with closing(connect(copy)) as reader:
        reader.row_factory = None
        with suppress(sqlite3.Error):
            reader.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        for table, columns in _TABLES.items():
            for direction in ("ASC", "DESC"):
                query = f"SELECT {columns} FROM {table} ORDER BY 1 {direction}"  # noqa: S608
                found = _until_damaged(reader, query, reading)
                if not _keep(writer, table, found):
                    break
    return reading


def _until_damaged(
    reader: sqlite3.Connection, query: str, reading: _Reading
) -> Iterator[tuple[object, ...] | None]:
    """Give rows, and None at last where the damage keeps the rest back."""
    try:
        yield from reader.execute(query)
    except sqlite3.Error:
        reading.whole = False
        with suppress(sqlite3.Error):
            reader.execute(f"{query.partition(' ORDER')[0]} LIMIT 0")
            yield None
            return
        reading.known = False
        yield None


def _keep(
    writer: sqlite3.Connection, table: str, found: Iterable[tuple[object, ...] | None]
) -> bool:
    """Write what makes sense and is not there yet; tells whether the reading broke off."""
    broken = False
    columns = _TABLES[table]
    marks = ", ".join("?" * len(columns.split(", ")))
    insert = f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608
    for values in found:
        if values is None:
            broken = True
        elif _sound(table, values):
            writer.execute(insert, values)
    return broken


def _sound(table: str, values: tuple[object, ...]) -> bool:
    if table != "notifications":
        return all(isinstance(value, str) for value in values)
    try:
        queries.row_of(dict(zip(_COLUMNS, values, strict=True)))
    except (ValueError, TypeError):
        return False
    return True


def _graft(copy: Path) -> None:
    """Give the copy a first page again: where the tables begin is the same in every database."""
    page = bytearray(first_tables(copy.with_name("tables.db")))
    data = copy.read_bytes()
    pages = max(1, -(-len(data) // len(page)))
    page[18:20] = b"\x02\x02"  # there may be a write-ahead log
    page[24:28] = page[92:96] = (1).to_bytes(4, "big")
    page[28:32] = pages.to_bytes(4, "big")
    page[32:40] = bytes(8)  # which pages were free is not known any more
    copy.write_bytes(bytes(page) + data[len(page) :].ljust((pages - 1) * len(page), b"\0"))


def _told(writer: sqlite3.Connection, place: Path, reading: _Reading) -> str:
    waiting = "status IN ('held', 'queued', 'attempting')"
    counts = [
        writer.execute(f"SELECT count(*) FROM {source}").fetchone()[0]  # noqa: S608
        for source in (
            f"notifications WHERE {waiting}",
            f"notifications WHERE NOT {waiting}",
            "pieces",
            "positions",
        )
    ]
    saved = "{} waiting and {} earlier notifications, {} counters and {} positions".format(*counts)
    missing = (
        "what else there was could not be read" if not reading.whole else "all of it could be read"
    )
    return (
        f"The database was damaged and is set aside as {place}; saved of it were {saved}: "
        f"{missing}. Look at the disk, and delete that file when nobody wants to look into it."
    )
