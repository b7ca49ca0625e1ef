"""Reading what the last process left, and making a store whole again around what is known."""

import os
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from notifyd.model.errors import StoreUnavailableError
from notifyd.model.notifications import Incident, Notification, Payload
from notifyd.outbox import queries
from notifyd.outbox.commit import put, transaction
from notifyd.outbox.database import connect
from notifyd.outbox.quarantine import free_second, quarantine_path, ready, synced

_UNREADABLE = "it could not be read back from a damaged database"
_UNKNOWN = "what became of it was lost with a damaged database"


@dataclass(frozen=True, slots=True)
class StoredState:
    """What the last process left."""

    pieces: dict[str, str]
    positions: dict[str, str]
    rows: list[Notification]
    clock: str | None


@dataclass(frozen=True, slots=True)
class RunningState:
    """All that the running process knows. text: makes one for a row whose own is lost."""

    pieces: Mapping[str, str | None]
    rows: Mapping[str, Notification]
    text: Callable[[Notification], Payload]


def saved(writer: sqlite3.Connection, wall: float) -> StoredState:
    """Read all; rows that make no sense are given up, and that is told as an incident.

    wall: seconds, now.
    """
    rows, unreadable = [], []
    for record in writer.execute(queries.WAITING).fetchall():
        try:
            rows.append(queries.row_of(record))
        except (ValueError, TypeError):
            unreadable.append(record["id"])
    if unreadable:
        transaction(writer, _give_up, unreadable, wall)
    pieces = dict(map(tuple, writer.execute("SELECT name, value FROM pieces").fetchall()))
    return StoredState(pieces, positions(writer), rows, pieces.pop("clock", None))


def positions(reader: sqlite3.Connection) -> dict[str, str]:
    return dict(map(tuple, reader.execute("SELECT key, value FROM positions").fetchall()))


def _give_up(writer: sqlite3.Connection, ids: list[object], wall: float) -> None:
    writer.executemany(queries.GIVE_UP, [(_UNREADABLE, name) for name in ids])
    note(
        writer,
        Incident(
            wall,
            "notifyd could not read some notifications",
            f"{len(ids)} waiting notifications could not be read back and were given up: "
            "`notifyd history` lists them as failed.",
        ),
    )


def note(writer: sqlite3.Connection, incident: Incident) -> None:
    """Write an incident down as the fold does, which then tells it."""
    put(writer, "pieces", "name", dict([incident.entry]))


def reconcile(writer: sqlite3.Connection, known: RunningState, wall: float) -> None:
    """Write what is known over what was salvaged: nothing that was acknowledged goes missing."""
    put(writer, "pieces", "name", known.pieces)
    there = {name for (name,) in map(tuple, writer.execute("SELECT id FROM notifications"))}
    for row in known.rows.values():
        if row.id in there:
            writer.execute(queries.UPDATE, queries.updated(row, wall))
        else:
            writer.execute(queries.INSERT, queries.inserted(row, known.text(row), wall))
    for record in writer.execute(queries.WAITING).fetchall():
        if record["id"] not in known.rows:
            writer.execute(queries.GIVE_UP, (_UNKNOWN, record["id"]))


def put_back(writer: sqlite3.Connection, path: Path, wall: float) -> Incident:
    """Write all that is in an open database, whose file was taken away, down at its path again.

    Makes it `ready`, for `aside.install`. Raises StoreUnavailableError where that is impossible.
    """
    wall = free_second(path, wall)
    new = path.with_name(path.name + ".new")
    incident = _taken(path, wall)
    try:
        new.unlink(missing_ok=True)
        os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        with closing(connect(new)) as target:
            writer.backup(target)
            note(target, incident)
        synced(new)
        os.utime(new, (wall, wall))
        new.rename(ready(path))
    except OSError as error:
        raise StoreUnavailableError(
            f"{path} was taken away and cannot be written again: {error.strerror}; "
            f"see that {path.parent} exists and this user may write it"
        ) from error
    return incident


def _taken(path: Path, wall: float) -> Incident:
    if path.exists():
        return Incident(
            wall,
            "notifyd's database was replaced",
            f"Another file took the place of the database {path} while notifyd ran; that one is "
            f"set aside as {quarantine_path(path, wall)}, and notifyd goes on with its own. "
            "Stop notifyd first to put a database back.",
        )
    return Incident(
        wall,
        "notifyd's database was deleted",
        f"The database {path} was deleted while notifyd ran; it was written again, and nothing "
        "of it is lost. See what deletes files there.",
    )
