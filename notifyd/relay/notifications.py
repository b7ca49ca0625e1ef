"""Received notifications: stored and counted once, and read by number."""

import json
from dataclasses import dataclass
from typing import NamedTuple

from notifyd.model.notifications import Json
from notifyd.relay import devices
from notifyd.relay.schemas import format_time
from notifyd.relay.store import Connection, transaction
from notifyd.relay.tokens import Token

MAX_STORED = 10_000
"""How many of the latest notifications are stored."""

KEY_LIFETIME = 86_400.0
"""Seconds for which an Idempotency-Key is remembered."""


class IncomingNotification(NamedTuple):
    """A sender's notification, with what its token merges into `data`."""

    title: str | None
    body: str | None
    data: Json
    key: str | None = None
    """The request's Idempotency-Key."""


@dataclass(frozen=True, slots=True)
class StoredNotification:
    """A notification as it is stored. `seq` rises, and no number is used twice."""

    seq: int
    token_name: str | None
    workspace_id: str
    title: str | None
    body: str | None
    data: Json
    received_at: float

    def as_json(self) -> Json:
        return {
            "seq": self.seq,
            "token": self.token_name,
            "workspace_id": self.workspace_id,
            "title": self.title,
            "body": self.body,
            "data": self.data,
            "received_at": format_time(self.received_at),
        }


class DeliveryReport(NamedTuple):
    """How many devices it went to. is_repeat: the same request was answered before."""

    devices: int
    is_repeat: bool = False


# --- on the store's thread


def accept(
    connection: Connection,
    token: Token,
    notification: IncomingNotification,
    *,
    pages: int,
    wall: float,
    limit: int = MAX_STORED,
) -> DeliveryReport:
    """Store a notification, unless the same token sent the same key within a day.

    pages: how many inbox pages are open; each is a device, but none that a token can name.
    limit: how many notifications stay, this one included.
    """
    with transaction(connection):
        connection.execute("UPDATE tokens SET last_used_at = ? WHERE id = ?", (wall, token.id))
        connection.execute("DELETE FROM answers WHERE answered_at <= ?", (wall - KEY_LIFETIME,))
        earlier = _earlier_report(connection, token.id, notification.key)
        if earlier is not None:
            return earlier
        count = devices.count(connection, token.device_id)
        if token.device_id is None:
            count += pages
        seq = connection.execute(
            "INSERT INTO notifications (token_id, token_name, workspace_id, title, body, data,"
            " idempotency_key, received_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                token.id,
                token.name,
                token.workspace_id,
                notification.title,
                notification.body,
                json.dumps(notification.data),
                notification.key,
                wall,
            ),
        ).lastrowid
        connection.execute("DELETE FROM notifications WHERE seq <= ? - ?", (seq, limit))
        if notification.key is not None:
            answer = (token.id, notification.key, count, wall)
            connection.execute("INSERT INTO answers VALUES (?, ?, ?, ?)", answer)
    return DeliveryReport(count)


def after(connection: Connection, seq: int, limit: int) -> list[StoredNotification]:
    """Return the notifications after a number, oldest first."""
    rows = connection.execute(
        "SELECT seq, token_name, workspace_id, title, body, data, received_at"
        " FROM notifications WHERE seq > ? ORDER BY seq LIMIT ?",
        (seq, limit),
    )
    return [
        StoredNotification(row[0], row[1], row[2], row[3], row[4], json.loads(row[5]), row[6])
        for row in rows
    ]


def before_latest(connection: Connection, count: int) -> int:
    """Return the number after which the latest `count` notifications come."""
    query = "SELECT seq FROM notifications ORDER BY seq DESC LIMIT 1 OFFSET ?"
    row = connection.execute(query, (count,)).fetchone()
    return row[0] if row else 0


def newest_seq(connection: Connection) -> int:
    return before_latest(connection, 0)


def _earlier_report(
    connection: Connection, token_id: str, key: str | None
) -> DeliveryReport | None:
    query = "SELECT devices FROM answers WHERE token_id = ? AND idempotency_key = ?"
    row = connection.execute(query, (token_id, key)).fetchone()
    return DeliveryReport(row[0], is_repeat=True) if row else None
