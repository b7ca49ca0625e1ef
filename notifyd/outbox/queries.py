"""The statements of the store, and how a row of the table becomes a value."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from notifyd.model.notifications import Json, Notification, Payload, Peer, Priority, Status


class Record(Protocol):
    """A row of the table, by column: a sqlite3.Row or a dictionary."""

    def __getitem__(self, key: str, /) -> Any: ...


COLUMNS: Final = (
    "id, status, trigger, priority, count, created, expires, release, attempts, failures, "
    '"group", key, uid, gid, pid, last_error, merged_into, report, title, body, data, changed'
)
_KEPT: Final = ("id", "trigger", "created", "key", "uid", "gid", "pid")

_TYPES: Final[Mapping[Any, tuple[str, ...]]] = {
    str: ("id", "trigger", "group", "key", "last_error", "merged_into", "title", "body", "data"),
    int: ("count", "attempts", "failures"),
    int | float: ("created", "expires", "release", "changed"),
    int | None: ("uid", "gid", "pid"),
    str | None: ("report",),
}

INSERT: Final = (
    f"INSERT INTO notifications ({COLUMNS}) VALUES ({', '.join('?' * 22)}) "  # noqa: S608
    "ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in COLUMNS.split(", ") if name not in _KEPT)
)
UPDATE: Final = (
    "UPDATE notifications SET status = ?, count = ?, expires = ?, release = ?, attempts = ?, "
    'failures = ?, "group" = ?, last_error = ?, merged_into = ?, report = ?, changed = ? '
    "WHERE id = ?"
)
WAITING: Final = (
    f"SELECT {COLUMNS} FROM notifications "  # noqa: S608
    "WHERE status IN ('held', 'queued', 'attempting') ORDER BY created, id"
)
ONE: Final = f"SELECT {COLUMNS} FROM notifications WHERE id = ?"  # noqa: S608
OVER: Final = (
    f"SELECT {COLUMNS} FROM notifications "  # noqa: S608
    "WHERE status = :status AND (:uid IS NULL OR uid = :uid) ORDER BY created, id LIMIT :limit"
)
STILL: Final = "SELECT 1 FROM notifications WHERE id = ? AND status = ? AND attempts = ?"
GIVE_UP: Final = "UPDATE notifications SET status = 'failed', last_error = ? WHERE id = ?"


def newest(*, uid: bool, status: bool) -> str:
    """List the newest, of one uid and in one status where these are given: by the index for it."""
    wanted = [name for name, given in (("uid", uid), ("status", status)) if given]
    where = " AND ".join(f"{name} = :{name}" for name in wanted) or "true"
    return (
        f"SELECT {COLUMNS} FROM notifications WHERE {where} "  # noqa: S608
        "ORDER BY created DESC, id DESC LIMIT :limit"
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """A row to be written; parcel: its text, where that is new."""

    row: Notification
    parcel: Payload | None


def inserted(row: Notification, parcel: Payload, changed: float) -> tuple[object, ...]:
    peer = row.peer
    return (
        row.id,
        row.status.value,
        row.trigger,
        row.priority.value,
        row.count,
        row.created,
        row.expires,
        row.not_before,
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


def updated(row: Notification, changed: float) -> tuple[object, ...]:
    return (
        row.status.value,
        row.count,
        row.expires,
        row.not_before,
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


def row_of(record: Record) -> Notification:
    """Read a row back; ValueError or TypeError where it was damaged."""
    _check(record)
    peer = None if record["uid"] is None else Peer(record["uid"], record["gid"], record["pid"])
    return Notification(
        id=record["id"],
        status=Status(record["status"]),
        trigger=record["trigger"],
        priority=Priority(record["priority"]),
        count=record["count"],
        created=record["created"],
        expires=record["expires"],
        not_before=record["release"],
        attempts=record["attempts"],
        failures=record["failures"],
        group=record["group"],
        key=record["key"],
        peer=peer,
        title=record["title"],
        last_error=record["last_error"],
        merged_into=record["merged_into"],
        report=_object(record["report"]),
    )


def _check(record: Record) -> None:
    for kind, names in _TYPES.items():
        for name in names:
            if not isinstance(record[name], kind):
                raise TypeError(name)


def parcel_of(record: Record) -> Payload:
    data = _object(record["data"])
    if data is None:
        data = {"notification_id": record["id"], "trigger": record["trigger"]}
    return Payload(record["id"], record["title"], record["body"], data)


def _object(text: str | None) -> Json | None:
    """Read a JSON object; None where there is none, or a damaged one."""
    try:
        found = json.loads(text or "null")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def shown(record: Record) -> Json:
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
    view["data"] = _object(record["data"]) or {}
    for name in ("key", "merged_into", "uid", "gid", "pid"):
        if record[name] not in ("", None):
            view[name] = record[name]
    return view | (_object(record["report"]) or {})
