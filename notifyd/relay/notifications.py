"""The stored notifications: read by number, and evicted when there are too many."""

import json
from dataclasses import dataclass

from notifyd.model.notifications import Json
from notifyd.relay.schemas import format_time
from notifyd.relay.store.base import Row, Transaction, fetch_one


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


# --- inside a transaction of the store


async def after(transaction: Transaction, seq: int, limit: int) -> list[StoredNotification]:
    """Return the notifications after a number, oldest first."""
    rows = await transaction.fetch(
        "SELECT seq, workspace_seq, token_name, workspace_id, title, body, data, received_at"
        " FROM notifications WHERE seq > $1 ORDER BY seq LIMIT $2",
        seq,
        limit,
    )
    return [_stored(row) for row in rows]


async def before_latest(transaction: Transaction, count: int) -> int:
    """Return the number after which the latest `count` notifications come."""
    query = "SELECT seq FROM notifications ORDER BY seq DESC LIMIT 1 OFFSET $1"
    row = await fetch_one(transaction, query, count)
    return row[0] if row else 0


async def newest_seq(transaction: Transaction) -> int:
    return await before_latest(transaction, 0)


async def evict(transaction: Transaction, total: int) -> None:
    """Delete the oldest beyond the total, at the cost of the workspace that has the most stored."""
    row = await fetch_one(transaction, "SELECT count(*) FROM notifications")
    stored = row[0] if row else 0
    for _ in range(stored - total):
        await transaction.execute(
            "DELETE FROM notifications WHERE seq = (SELECT min(seq) FROM notifications"
            " GROUP BY workspace_id ORDER BY count(*) DESC, min(seq) LIMIT 1)"
        )


def _stored(row: Row) -> StoredNotification:
    return StoredNotification(
        row[0], row[1], row[2], row[3], row[4], row[5], json.loads(row[6]), row[7]
    )
