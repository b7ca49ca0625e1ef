"""Questions that senders ask: the first answer counts, and it is kept."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from notifyd.model.notifications import Json
from notifyd.relay import changes
from notifyd.relay.schemas import format_optional_time, format_time
from notifyd.relay.store.base import Row, Transaction, fetch_one, read_clock

KEPT = 8 * 86_400.0
"""Seconds for which a question is stored: longer than any may wait for its answer."""

COLUMNS = (
    "questions.key, questions.workspace_id, questions.options, questions.asked_at,"
    " questions.expires_at, questions.answer, questions.answered_at, questions.withdrawn_at"
)


class QuestionStatus(StrEnum):
    OPEN = "open"
    ANSWERED = "answered"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class NewQuestion(NamedTuple):
    """The question of a notification that is stored with it. within: seconds to answer it."""

    workspace_id: str
    key: str
    workspace_seq: int
    options: tuple[str, ...]
    within: float


@dataclass(frozen=True, slots=True)
class Question:
    """Times are wall-clock seconds. A timeout decides nothing: what has expired has no answer."""

    key: str
    workspace_id: str
    options: tuple[str, ...]
    asked_at: float
    expires_at: float
    answer: str | None
    answered_at: float | None
    withdrawn_at: float | None

    @classmethod
    def of(cls, row: Row) -> "Question | None":
        """Convert a row of COLUMNS; None if it has no question."""
        if row[0] is None:
            return None
        return cls(row[0], row[1], tuple(json.loads(row[2])), *row[3:])

    def status(self, wall: float) -> QuestionStatus:
        if self.answer is not None:
            return QuestionStatus.ANSWERED
        if self.withdrawn_at is not None:
            return QuestionStatus.WITHDRAWN
        return QuestionStatus.EXPIRED if wall >= self.expires_at else QuestionStatus.OPEN

    def as_json(self) -> Json:
        return {
            "key": self.key,
            "workspace_id": self.workspace_id,
            "options": list(self.options),
            "asked_at": format_time(self.asked_at),
            "expires_at": format_time(self.expires_at),
            "answer": self.answer,
            "answered_at": format_optional_time(self.answered_at),
            "withdrawn_at": format_optional_time(self.withdrawn_at),
        }


# --- inside a transaction of the store


async def insert(transaction: Transaction, questions: Iterable[NewQuestion], wall: float) -> None:
    """Store questions. One with an old key replaces that: its requests are not repeats any more."""
    await transaction.execute_many(
        "INSERT INTO questions (workspace_id, key, workspace_seq, options, asked_at, expires_at)"
        " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (workspace_id, key) DO UPDATE SET"
        " workspace_seq = excluded.workspace_seq, options = excluded.options,"
        " asked_at = excluded.asked_at, expires_at = excluded.expires_at, answer = NULL,"
        " answered_at = NULL, withdrawn_at = NULL",
        [
            (new.workspace_id, new.key, new.workspace_seq, json.dumps(new.options), wall, until)
            for new in questions
            for until in (wall + new.within,)
        ],
    )


async def find(transaction: Transaction, workspace_id: str, key: str) -> Question | None:
    query = f"SELECT {COLUMNS} FROM questions WHERE workspace_id = $1 AND key = $2"
    row = await fetch_one(transaction, query, workspace_id, key)
    return None if row is None else Question.of(row)


async def answer(
    transaction: Transaction,
    workspace_id: str,
    key: str,
    text: str,
    wall: float,
    *,
    workspace_seq: int | None = None,
) -> bool:
    """Store an answer, which also marks the notification as read; False if it comes too late.

    workspace_seq: of the notification whose question is answered, if that is known.
    """
    wall = await read_clock(transaction, wall)
    changed = await transaction.execute(
        "UPDATE questions SET answer = $3, answered_at = $4 WHERE workspace_id = $1 AND key = $2"
        " AND answer IS NULL AND withdrawn_at IS NULL AND expires_at > $4"
        " AND (CAST($5 AS BIGINT) IS NULL OR workspace_seq = $5)",
        workspace_id,
        key,
        text,
        wall,
        workspace_seq,
    )
    if changed:
        await _mark(transaction, workspace_id, key, "read_at = coalesce(read_at, $4)", wall)
    return changed > 0


async def withdraw(transaction: Transaction, workspace_id: str, key: str, wall: float) -> bool:
    """End a question that nobody waits for any more; False if it has ended already."""
    changed = await transaction.execute(
        "UPDATE questions SET withdrawn_at = $3 WHERE workspace_id = $1 AND key = $2"
        " AND answer IS NULL AND withdrawn_at IS NULL AND expires_at > $3",
        workspace_id,
        key,
        wall,
    )
    if changed:
        await _mark(transaction, workspace_id, key)
    return changed > 0


async def prune(transaction: Transaction, wall: float) -> None:
    await transaction.execute("DELETE FROM questions WHERE asked_at <= $1", wall - KEPT)


async def _mark(
    transaction: Transaction, workspace_id: str, key: str, also: str = "", *values: object
) -> None:
    """Give the notification of a question a new revision, so that open pages show its end."""
    revision = await changes.next_revision(transaction)
    assignments = ", ".join(part for part in ("revision = $3", also) if part)
    await transaction.execute(
        f"UPDATE notifications SET {assignments} WHERE workspace_id = $1 AND workspace_seq ="
        " (SELECT workspace_seq FROM questions WHERE workspace_id = $1 AND key = $2)",
        workspace_id,
        key,
        revision,
        *values,
    )
