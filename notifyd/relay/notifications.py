"""Received notifications: stored and counted once, and read by number."""

import json
from dataclasses import dataclass
from typing import NamedTuple

from notifyd.http.rate_limit import Rate
from notifyd.model.notifications import Json
from notifyd.relay import devices, rate_limit
from notifyd.relay.schemas import format_time
from notifyd.relay.store import Connection, transaction
from notifyd.relay.tokens import Token

RATE = Rate(60, 60.0)
"""The platform's limit for a free workspace."""

KEY_LIFETIME = 86_400.0
"""Seconds for which an Idempotency-Key is remembered."""


class StoreLimits(NamedTuple):
    """rate: of each workspace's requests. per_workspace, total: notifications that are stored."""

    rate: Rate = RATE
    per_workspace: int = 10_000
    total: int = 20_000


class IncomingNotification(NamedTuple):
    """A sender's notification, with what its token merges into `data`."""

    title: str | None
    body: str | None
    data: Json
    key: str | None = None
    """The request's Idempotency-Key."""


@dataclass(frozen=True, slots=True)
class StoredNotification:
    """A notification as it is stored.

    seq rises over all notifications, workspace_seq over those of one workspace. No number of
    either is used twice.
    """

    seq: int
    workspace_seq: int
    token_name: str | None
    workspace_id: str
    title: str | None
    body: str | None
    data: Json
    received_at: float

    def as_json(self) -> Json:
        return {
            "seq": self.seq,
            "workspace_seq": self.workspace_seq,
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
    limits: StoreLimits = StoreLimits(),  # noqa: B008 - immutable
) -> DeliveryReport:
    """Store a notification, unless the same workspace sent the same key within a day.

    Raise WorkspaceRateError, and store nothing, if the workspace sends too fast. pages: how many
    inbox pages are open; each is a device, but none that a token can name.
    """
    workspace = token.workspace_id
    rate_limit.check(connection, workspace, limits.rate, wall)
    with transaction(connection):
        rate_limit.record(connection, workspace, limits.rate, wall)
        connection.execute("UPDATE tokens SET last_used_at = ? WHERE id = ?", (wall, token.id))
        connection.execute("DELETE FROM answers WHERE answered_at <= ?", (wall - KEY_LIFETIME,))
        earlier = _earlier_report(connection, workspace, notification.key)
        if earlier is not None:
            return earlier
        count = devices.count(connection, token.device_id)
        if token.device_id is None:
            count += pages
        _insert(connection, token, notification, wall)
        _evict(connection, workspace, limits)
        if notification.key is not None:
            answer = (workspace, notification.key, count, wall)
            connection.execute("INSERT INTO answers VALUES (?, ?, ?, ?)", answer)
    return DeliveryReport(count)


def _insert(
    connection: Connection, token: Token, notification: IncomingNotification, wall: float
) -> None:
    number = connection.execute(
        "INSERT INTO workspaces VALUES (?, 1) ON CONFLICT (workspace_id)"
        " DO UPDATE SET last_seq = last_seq + 1 RETURNING last_seq",
        (token.workspace_id,),
    ).fetchone()[0]
    connection.execute(
        "INSERT INTO notifications (workspace_id, workspace_seq, token_id, token_name, title, body,"
        " data, received_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            token.workspace_id,
            number,
            token.id,
            token.name,
            notification.title,
            notification.body,
            json.dumps(notification.data),
            wall,
        ),
    )


def _evict(connection: Connection, workspace_id: str, limits: StoreLimits) -> None:
    """Delete the oldest of this workspace beyond its limit, then those beyond the total.

    The total is kept at the cost of the workspace that has the most stored.
    """
    oldest_kept = (
        "SELECT workspace_seq FROM notifications WHERE workspace_id = ?1"
        " ORDER BY workspace_seq DESC LIMIT 1 OFFSET ?2"
    )
    connection.execute(
        f"DELETE FROM notifications WHERE workspace_id = ?1 AND workspace_seq <= ({oldest_kept})",  # noqa: S608 - our own text
        (workspace_id, limits.per_workspace),
    )
    total = connection.execute("SELECT count(*) FROM notifications").fetchone()[0]
    for _ in range(total - limits.total):
        connection.execute(
            "DELETE FROM notifications WHERE seq = (SELECT min(seq) FROM notifications"
            " GROUP BY workspace_id ORDER BY count(*) DESC, min(seq) LIMIT 1)"
        )


def after(connection: Connection, seq: int, limit: int) -> list[StoredNotification]:
    """Return the notifications after a number, oldest first."""
    rows = connection.execute(
        "SELECT seq, workspace_seq, token_name, workspace_id, title, body, data, received_at"
        " FROM notifications WHERE seq > ? ORDER BY seq LIMIT ?",
        (seq, limit),
    )
    return [
        StoredNotification(
            row[0], row[1], row[2], row[3], row[4], row[5], json.loads(row[6]), row[7]
        )
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
    connection: Connection, workspace_id: str, key: str | None
) -> DeliveryReport | None:
    query = "SELECT devices FROM answers WHERE workspace_id = ? AND idempotency_key = ?"
    row = connection.execute(query, (workspace_id, key)).fetchone()
    return DeliveryReport(row[0], is_repeat=True) if row else None
