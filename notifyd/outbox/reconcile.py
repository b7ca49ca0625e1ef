"""Loading what the last process stored, and restoring a store from what this process knows."""

import os
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from notifyd.model.errors import StoreUnavailableError
from notifyd.model.notifications import Incident, Notification, Payload
from notifyd.outbox import queries
from notifyd.outbox.commit import put_state_entries, transaction
from notifyd.outbox.database import connect
from notifyd.outbox.quarantine import fsync, quarantine_path, replacement_path, unused_second
from notifyd.outbox.rows import decode, encode, encode_update

_UNREADABLE = "it could not be read from the damaged database"
_OUTCOME_LOST = "its outcome was lost when the database was damaged"


@dataclass(frozen=True, slots=True)
class StoredState:
    """What the last process stored. notifications: those that wait."""

    state_entries: dict[str, str]
    checkpoints: dict[str, str]
    notifications: list[Notification]
    clock: str | None


@dataclass(frozen=True, slots=True)
class RunningState:
    """What this process knows. render_lost_text: makes a text for a notification that lost its."""

    state_entries: Mapping[str, str | None]
    notifications: Mapping[str, Notification]
    render_lost_text: Callable[[Notification], Payload]


def load(writer: sqlite3.Connection, wall: float) -> StoredState:
    """Read everything; mark notifications that cannot be read as failed, with an incident.

    wall: the time now.
    """
    waiting, unreadable = [], []
    for row in writer.execute(queries.FIND_WAITING).fetchall():
        try:
            waiting.append(decode(row))
        except ValueError:
            unreadable.append(row["id"])
    if unreadable:
        transaction(writer, _mark_unreadable, unreadable, wall)
    entries = dict(map(tuple, writer.execute("SELECT name, value FROM pieces").fetchall()))
    clock = entries.pop("clock", None)
    return StoredState(entries, load_checkpoints(writer), waiting, clock)


def load_checkpoints(reader: sqlite3.Connection) -> dict[str, str]:
    return dict(map(tuple, reader.execute("SELECT key, value FROM positions").fetchall()))


def _mark_unreadable(writer: sqlite3.Connection, ids: list[object], wall: float) -> None:
    writer.executemany(queries.MARK_FAILED, [(_UNREADABLE, name) for name in ids])
    what = (
        "1 waiting notification could not be read and was"
        if len(ids) == 1
        else f"{len(ids)} waiting notifications could not be read and were"
    )
    sentence = f"{what} marked as failed. See `notifyd history`."
    title = "notifyd could not read some notifications"
    store_incident(writer, Incident(wall, title, sentence))


def store_incident(writer: sqlite3.Connection, incident: Incident) -> None:
    """Store an incident as the fold does, which reports it at the next start."""
    put_state_entries(writer, dict([incident.entry]))


def reconcile(writer: sqlite3.Connection, running: RunningState, wall: float) -> None:
    """Write what the process knows over what was recovered, so that no acknowledged change is lost.

    Waiting notifications that it does not know were finished; they are marked as failed.
    """
    put_state_entries(writer, running.state_entries)
    stored = {name for (name,) in map(tuple, writer.execute("SELECT id FROM notifications"))}
    for notification in running.notifications.values():
        if notification.id in stored:
            writer.execute(queries.UPDATE, encode_update(notification, wall))
        else:
            payload = running.render_lost_text(notification)
            writer.execute(queries.insert(1), encode(notification, payload, wall))
    for row in writer.execute(queries.FIND_WAITING).fetchall():
        if row["id"] not in running.notifications:
            writer.execute(queries.MARK_FAILED, (_OUTCOME_LOST, row["id"]))


def copy_open_database(writer: sqlite3.Connection, path: Path, wall: float) -> Incident:
    """Write the open database, whose file was deleted or replaced, to the replacement path.

    Raises StoreUnavailableError if that is not possible.
    """
    wall = unused_second(path, wall)
    new = path.with_name(path.name + ".new")
    incident = _incident(path, wall)
    try:
        new.unlink(missing_ok=True)
        os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        with closing(connect(new)) as target:
            writer.backup(target)
            store_incident(target, incident)
        fsync(new)
        os.utime(new, (wall, wall))
        new.rename(replacement_path(path))
    except OSError as error:
        raise StoreUnavailableError(
            f"{path} was deleted or replaced and cannot be restored: {error.strerror}; "
            f"check that {path.parent} exists and this user can write to it"
        ) from error
    return incident


def _incident(path: Path, wall: float) -> Incident:
    if path.exists():
        return Incident(
            wall,
            "notifyd's database was replaced",
            f"Another file replaced the database {path} while notifyd was running. notifyd moved "
            f"that file to {quarantine_path(path, wall)} and continues with its own database. "
            "Stop notifyd first to restore a backup.",
        )
    return Incident(
        wall,
        "notifyd's database was deleted",
        f"The database {path} was deleted while notifyd was running. notifyd wrote it again, and "
        "nothing is lost. Find out what deletes files there.",
    )
