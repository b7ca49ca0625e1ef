"""A notification as a row of the table `notifications`: its columns, written and read back.

A row whose values make no sense is refused on its own; columns that are not named here are ignored.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Final, Protocol

from notifyd.model.notifications import (
    TCP_PEER,
    Json,
    Notification,
    Payload,
    Peer,
    Priority,
    Status,
)

COLUMNS: Final[Mapping[str, type | UnionType]] = {
    "id": str,
    "status": str,
    "trigger": str,
    "priority": str,
    "count": int,
    "created": float | int,
    "expires": float | int,
    "release": float | int,
    "attempts": int,
    "failures": int,
    "group": str,
    "key": str,
    "uid": int | NoneType,
    "gid": int | NoneType,
    "pid": int | NoneType,
    "last_error": str,
    "merged_into": str,
    "report": str | NoneType,
    "title": str,
    "body": str,
    "data": str,
    "changed": float | int,
}
"""The columns in the order of the table, with the types of their values."""

_ALWAYS_SHOWN: Final = (
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
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False)
_SHOWN_IF_SET: Final = ("key", "merged_into", "uid", "gid", "pid")


class Row(Protocol):
    """A row by the names of its columns: a sqlite3.Row or a dictionary."""

    def __getitem__(self, key: str, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """A notification to be written. payload: its text, where that is new."""

    notification: Notification
    payload: Payload | None


def encode_update(notification: Notification, changed: float) -> dict[str, object]:
    """Return the columns that change after a row was inserted, and its id.

    changed: the wall-clock time of the commit.
    """
    report = notification.report
    return {
        "id": notification.id,
        "status": notification.status.value,
        "count": notification.count,
        "expires": notification.expires,
        "release": notification.not_before,
        "attempts": notification.attempts,
        "failures": notification.failures,
        "group": notification.group,
        "last_error": notification.last_error,
        "merged_into": notification.merged_into,
        "report": None if report is None else _ENCODER.encode(report),
        "changed": changed,
    }


def encode(notification: Notification, payload: Payload, changed: float) -> tuple[object, ...]:
    """Return a row in the order of COLUMNS. changed: the wall-clock time of the commit."""
    peer = notification.peer
    values = encode_update(notification, changed) | {
        "trigger": notification.trigger,
        "priority": notification.priority.value,
        "created": notification.created,
        "key": notification.key,
        "uid": peer and peer.uid,
        "gid": peer and peer.gid,
        "pid": peer and peer.pid,
        "title": payload.title,
        "body": payload.body,
        "data": _ENCODER.encode(payload.data),
    }
    return tuple(values[name] for name in COLUMNS)


def decode(row: Row) -> Notification:
    """Read a row back; raise ValueError if a value is damaged."""
    for name in COLUMNS:
        if not _is_valid(name, row[name]):
            raise ValueError(f"{name} = {row[name]!r}")
    peer = None if row["uid"] is None else Peer(row["uid"], row["gid"], row["pid"])
    return Notification(
        id=row["id"],
        status=Status(row["status"]),
        trigger=row["trigger"],
        priority=Priority(row["priority"]),
        count=row["count"],
        created=row["created"],
        expires=row["expires"],
        not_before=row["release"],
        attempts=row["attempts"],
        failures=row["failures"],
        group=row["group"],
        key=row["key"],
        peer=peer,
        title=row["title"],
        last_error=row["last_error"],
        merged_into=row["merged_into"],
        report=_json_object(row["report"]),
    )


def decode_payload(row: Row) -> Payload:
    """Read the text of a row back; raise ValueError if it is damaged."""
    for name in ("id", "trigger", "title", "body"):
        if not _is_valid(name, row[name]):
            raise ValueError(f"{name} = {row[name]!r}")
    data = _json_object(row["data"])
    if data is None:
        data = {"notification_id": row["id"], "trigger": row["trigger"]}
    return Payload(row["id"], row["title"], row["body"], data)


def to_json(row: Row) -> Json:
    """Return a notification as the local API shows it; a damaged value is shown as null."""
    values = {name: row[name] if _is_valid(name, row[name]) else None for name in COLUMNS}
    shown: Json = {name: values[name] for name in _ALWAYS_SHOWN}
    shown["data"] = _json_object(values["data"]) or {}
    shown |= {name: values[name] for name in _SHOWN_IF_SET if values[name] not in ("", None)}
    if values["uid"] == TCP_PEER.uid:
        shown["client"] = "tcp"
    return shown | (_json_object(values["report"]) or {})


def _is_valid(column: str, value: object) -> bool:
    if not isinstance(value, COLUMNS[column]):
        return False
    return not isinstance(value, float) or isfinite(value)


def _json_object(text: object) -> Json | None:
    """Read a JSON object; None if there is none or it is damaged."""
    try:
        value = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
