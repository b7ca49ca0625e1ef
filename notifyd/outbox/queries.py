"""The statements of the store, and how a row of the table becomes a value."""

import json
import sqlite3
from dataclasses import dataclass
from typing import Final

from notifyd.model import Json, Parcel, Peer, Priority, Row, Status

_COLUMNS: Final = (
    "id, status, trigger, priority, count, created, expires, release, attempts, failures, "
    '"group", key, uid, gid, pid, last_error, merged_into, report, title, body, data, changed'
)
_KEPT: Final = ("id", "trigger", "created", "key", "uid", "gid", "pid")

INSERT: Final = (
    f"INSERT INTO notifications ({_COLUMNS}) VALUES ({', '.join('?' * 22)}) "  # noqa: S608
    "ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS.split(", ") if name not in _KEPT)
)
UPDATE: Final = (
    "UPDATE notifications SET status = ?, count = ?, expires = ?, release = ?, attempts = ?, "
    'failures = ?, "group" = ?, last_error = ?, merged_into = ?, report = ?, changed = ? '
    "WHERE id = ?"
)
WAITING: Final = (
    f"SELECT {_COLUMNS} FROM notifications "  # noqa: S608
    "WHERE status IN ('held', 'queued', 'attempting') ORDER BY created, id"
)
ONE: Final = f"SELECT {_COLUMNS} FROM notifications WHERE id = ?"  # noqa: S608
NEWEST: Final = (
    f"SELECT {_COLUMNS} FROM notifications "  # noqa: S608
    "WHERE (:uid IS NULL OR uid = :uid) AND (:status IS NULL OR status = :status) "
    "ORDER BY created DESC, id DESC LIMIT :limit"
)
OVER: Final = (
    f"SELECT {_COLUMNS} FROM notifications "  # noqa: S608
    "WHERE status = :status AND (:uid IS NULL OR uid = :uid) ORDER BY created, id LIMIT :limit"
)
STILL: Final = "SELECT 1 FROM notifications WHERE id = ? AND status = ? AND attempts = ?"
FORGET: Final = (
    "DELETE FROM notifications WHERE changed < ? AND status NOT IN ('held', 'queued', 'attempting')"
)
CROWD: Final = (
    "DELETE FROM notifications WHERE status NOT IN ('held', 'queued', 'attempting') "
    "AND created < (SELECT created FROM notifications ORDER BY created DESC LIMIT 1 OFFSET ?)"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row to be written; parcel: its text, where that is new."""

    row: Row
    parcel: Parcel | None


def inserted(row: Row, parcel: Parcel, changed: float) -> tuple[object, ...]:
    peer = row.peer
    return (
        row.id,
        row.status.value,
        row.trigger,
        row.priority.value,
        row.count,
        row.created,
        row.expires,
        row.release,
        row.attempts,
        row.failures,
        row.group,
        row.key,
        peer and peer.uid,
        peer and peer.gid,
        peer and peer.pid,
        row.last_error,
        row.merged_into,
        _dumped(row.report),
        parcel.title,
        parcel.body,
        json.dumps(parcel.data, ensure_ascii=False),
        changed,
    )


def updated(row: Row, changed: float) -> tuple[object, ...]:
    return (
        row.status.value,
        row.count,
        row.expires,
        row.release,
        row.attempts,
        row.failures,
        row.group,
        row.last_error,
        row.merged_into,
        _dumped(row.report),
        changed,
        row.id,
    )


def _dumped(report: Json | None) -> str | None:
    return None if report is None else json.dumps(report, ensure_ascii=False)


def row_of(record: sqlite3.Row) -> Row:
    peer = None if record["uid"] is None else Peer(record["uid"], record["gid"], record["pid"])
    return Row(
        id=record["id"],
        status=Status(record["status"]),
        trigger=record["trigger"],
        priority=Priority(record["priority"]),
        count=record["count"],
        created=record["created"],
        expires=record["expires"],
        release=record["release"],
        attempts=record["attempts"],
        failures=record["failures"],
        group=record["group"],
        key=record["key"],
        peer=peer,
        title=record["title"],
        last_error=record["last_error"],
        merged_into=record["merged_into"],
        report=json.loads(record["report"]) if record["report"] else None,
    )


def parcel_of(record: sqlite3.Row) -> Parcel:
    return Parcel(record["id"], record["title"], record["body"], json.loads(record["data"]))


def shown(record: sqlite3.Row) -> Json:
    """Write a notification as the local API shows it."""
    view: Json = {
        name: record[name]
        for name in (
            "id",
            "status",
            "title",
            "body",
            "priority",
            "trigger",
            "count",
            "created",
            "attempts",
            "last_error",
            "changed",
        )
    }
    view["data"] = json.loads(record["data"])
    for name in ("key", "merged_into", "uid", "gid", "pid"):
        if record[name] not in ("", None):
            view[name] = record[name]
    if record["report"]:
        view |= json.loads(record["report"])
    return view
