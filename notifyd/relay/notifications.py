"""The stored notifications: how they are written, read by number, and evicted."""

import heapq
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from notifyd.model.notifications import Json
from notifyd.relay import changes, questions
from notifyd.relay.questions import Question
from notifyd.relay.schemas import format_time
from notifyd.relay.store.base import Row, Transaction, fetch_one

_PRIORITIES = frozenset({"min", "low", "default", "high", "urgent"})

_COLUMNS = (
    "seq, notifications.workspace_seq, token_name, notifications.workspace_id, title, body, data,"
    " received_at, source, priority, outcome, read_at IS NOT NULL, archived_at IS NOT NULL,"
    " undelivered"
)
QUESTIONS = (
    "LEFT JOIN questions ON questions.workspace_id = notifications.workspace_id"
    " AND questions.workspace_seq = notifications.workspace_seq"
)


class NewNotification(NamedTuple):
    """A notification to store. data: with what its token merges into it.

    token_id: None for one of the relay itself.
    """

    workspace_id: str
    workspace_seq: int
    token_id: int | None
    token_name: str | None
    title: str | None
    body: str | None
    data: Json


@dataclass(frozen=True, slots=True)
class StoredNotification:
    """A notification as it is stored.

    seq rises over all notifications, workspace_seq over those of one workspace. No number of
    either is used twice. source: its trigger; priority, outcome: as `data` has them, if they are
    known words. The outcome is empty if there is none. undelivered: `device` and `reason` of each
    device that it could not be handed to.
    """

    seq: int
    workspace_seq: int
    token_name: str | None
    workspace_id: str
    title: str | None
    body: str | None
    data: Json
    received_at: float
    source: str
    priority: str
    outcome: str
    is_read: bool
    is_archived: bool
    undelivered: list[Json]
    question: Question | None

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
            "source": self.source,
            "priority": self.priority,
            "outcome": self.outcome,
            "read": self.is_read,
            "archived": self.is_archived,
            "question": self.question and self.question.as_json(),
            **({"undelivered": self.undelivered} if self.undelivered else {}),
        }


# --- inside a transaction of the store


async def insert(
    transaction: Transaction, notifications: Iterable[NewNotification], wall: float
) -> None:
    """Store notifications, with what the inbox filters and searches by."""
    await changes.lock_order(transaction)
    await transaction.execute_many(
        "INSERT INTO notifications (workspace_id, workspace_seq, token_id, token_name, title, body,"
        " data, received_at, source, channel, priority, outcome, search)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        [_row(notification, wall) for notification in notifications],
    )


async def after(transaction: Transaction, seq: int, limit: int) -> list[StoredNotification]:
    """Return the notifications after a number, oldest first."""
    return await select(transaction, "seq > $1 ORDER BY seq LIMIT $2", seq, limit)


async def select(
    transaction: Transaction, condition: str, *values: object
) -> list[StoredNotification]:
    """Return those that meet a condition, which may end with an order and a limit.

    Deleted ones are never among them.
    """
    query = (
        f"SELECT {_COLUMNS}, {questions.COLUMNS} FROM notifications {QUESTIONS}"
        f" WHERE deleted_at IS NULL AND {condition}"
    )
    return [_stored(row) for row in await transaction.fetch(query, *values)]


async def before_latest(transaction: Transaction, count: int) -> int:
    """Return the number after which the latest `count` notifications come."""
    query = "SELECT seq FROM notifications ORDER BY seq DESC LIMIT 1 OFFSET $1"
    row = await fetch_one(transaction, query, count)
    return row[0] if row else 0


async def newest_seq(transaction: Transaction) -> int:
    return await before_latest(transaction, 0)


async def count(transaction: Transaction) -> int:
    """Count what is stored."""
    row = await fetch_one(transaction, "SELECT count(*) FROM notifications")
    return row[0] if row else 0


async def evict_each(transaction: Transaction, per_workspace: int) -> None:
    """Delete the oldest of each workspace beyond so many."""
    query = "SELECT workspace_id, last_seq - $1 FROM workspaces WHERE last_seq > $1"
    rows = await transaction.fetch(query, per_workspace)
    await transaction.execute_many(
        "DELETE FROM notifications WHERE workspace_id = $1 AND workspace_seq <= $2",
        [tuple(row) for row in rows],
    )


async def evict(transaction: Transaction, total: int) -> None:
    """Delete the oldest beyond the total, at the cost of the workspace that has the most stored."""
    rows = await transaction.fetch(
        "SELECT workspace_id, count(*), min(seq) FROM notifications GROUP BY workspace_id"
    )
    evicted: Counter[str] = Counter()
    largest = [(-count, oldest, workspace_id) for workspace_id, count, oldest in rows]
    heapq.heapify(largest)
    for _ in range(sum(row[1] for row in rows) - total):
        negative, oldest, workspace_id = largest[0]
        evicted[workspace_id] += 1
        heapq.heapreplace(largest, (negative + 1, oldest, workspace_id))
    await transaction.execute_many(
        "DELETE FROM notifications WHERE workspace_id = $1 AND seq IN (SELECT seq FROM"
        " notifications WHERE workspace_id = $1 ORDER BY workspace_seq LIMIT $2)",
        sorted(evicted.items()),
    )


def _row(new: NewNotification, wall: float) -> Row:
    data = json.dumps(new.data)
    source, channel = text_of(new.data, "trigger"), text_of(new.data, "channel")
    priority = text_of(new.data, "priority")
    shown = json.dumps(new.data, ensure_ascii=False)
    words = (new.title or "", new.body or "", new.token_name or "", new.workspace_id, shown)
    columns = (
        *(new.workspace_id, new.workspace_seq, new.token_id, new.token_name),
        *(new.title, new.body, data, wall),
        *(source, channel, priority if priority in _PRIORITIES else "default"),
        *(text_of(new.data, "outcome"), "\n".join(words).casefold()),
    )
    # PostgreSQL's texts cannot hold NUL, which no page shows either.
    return [value.replace("\0", "\ufffd") if isinstance(value, str) else value for value in columns]


def text_of(data: Json, key: str) -> str:
    """Return a value of the data; empty if there is none or it is not a text."""
    value = data.get(key)
    return value if isinstance(value, str) else ""


def _stored(row: Row) -> StoredNotification:
    return StoredNotification(
        *(row[0], row[1], row[2], row[3], row[4], row[5], json.loads(row[6]), row[7]),
        *(row[8], row[9], row[10], bool(row[11]), bool(row[12])),
        *(json.loads(row[13]), Question.of(row[14:])),
    )
