"""Databases of the daemon for tests, filled and copied."""

import shutil
import sqlite3
import time
from contextlib import closing

from notifyd.engine.clock import Clock
from notifyd.model.events import Now
from notifyd.model.notifications import Notification, Payload, Peer, Priority, Status
from notifyd.outbox.commit import Commit
from notifyd.outbox.rows import OutboxEntry
from notifyd.outbox.store import OutboxStore

WAITING, ENDED, POSITIONS = 120, 200, 60
NOW = Now(1000.0, 1_700_000_000.0)


def row(name, status=Status.QUEUED, **more):
    facts = {"trigger": "app", "priority": Priority.HIGH, "count": 3, "created": 5.0}
    return Notification(id=name, status=status, expires=99.0, **(facts | more))


def parcel(name, title="Title", body="Body"):
    return Payload(name, title, body, {"notification_id": name, "lone": "ünï"})


def entry(name, status=Status.QUEUED, body="Body", **more):
    return OutboxEntry(row(name, status, **more), parcel(name, body=body))


async def filled(folder):
    """Fill a database; return the directory of a copy, as a kill would leave it."""
    clock = Clock(None, boot="boot", monotonic=lambda: NOW.mono, wall=lambda: NOW.wall)
    killed = folder.with_name(folder.name + "-killed")
    killed.mkdir()
    async with OutboxStore(folder) as store:
        for start in range(0, WAITING, 30):
            entries = [
                entry(f"waits-{number:04}", body="b" * (number * 40), peer=Peer(1, 1, number))
                for number in range(start, start + 30)
            ]
            entries += [
                entry(f"ended-{start}-{number:04}", Status.DELIVERED, body="e" * 900)
                for number in range(ENDED * 30 // WAITING)
            ]
            positions = {
                f"log:{number}": '{"offset": 17}' * 20
                for number in range(
                    start * POSITIONS // WAITING, (start + 30) * POSITIONS // WAITING
                )
            }
            await store.commit(Commit({}, positions, entries, clock.serialize(NOW), NOW.wall))
            if start == WAITING // 2:
                store._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        crash_image(folder, killed)
    return killed


def crash_image(source, target):
    """Copy a database with its -wal, as a kill leaves it; SQLite recreates the -shm."""
    for name in ("notifyd.db", "notifyd.db-wal"):
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)


def waiting_ids(folder):
    """Return the ids of waiting notifications, without changing the database."""
    with closing(sqlite3.connect(f"file:{folder / 'notifyd.db'}?mode=ro", uri=True)) as reader:
        query = "SELECT id FROM notifications WHERE status IN ('held', 'queued', 'attempting')"
        return {name for (name,) in reader.execute(query)}


def restore_dump(dump, folder):
    """Create the database of a dump, as if it had been left two hours ago."""
    with closing(sqlite3.connect(folder / "notifyd.db")) as fresh:
        fresh.executescript(dump.read_text())
        clock = "json_set(value, '$.wall', ?, '$.boot', 'an earlier one')"
        then = (time.time() - 7200,)
        fresh.execute(f"UPDATE pieces SET value = {clock} WHERE name = 'clock'", then)
        fresh.commit()
