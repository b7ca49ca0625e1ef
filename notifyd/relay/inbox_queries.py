"""What the inbox page asks for: filtered lists, older ones, counts and a chart."""

import json
from collections import Counter
from enum import StrEnum
from typing import NamedTuple

from notifyd.model.notifications import Json
from notifyd.relay import notifications, questions
from notifyd.relay.notifications import QUESTIONS, StoredNotification
from notifyd.relay.questions import Question
from notifyd.relay.store.base import Row, Transaction

CHART_BARS = 24
"""Bars of the chart; each covers an hour, or a day in the longer one."""

_MOST_NAMES = 100
"""Names of sources, of workspaces and of channels that a summary counts."""


class View(StrEnum):
    INBOX = "inbox"
    UNREAD = "unread"
    ARCHIVE = "archive"


_VIEWS = {
    View.INBOX: "archived_at IS NULL",
    View.UNREAD: "archived_at IS NULL AND read_at IS NULL",
    View.ARCHIVE: "archived_at IS NOT NULL",
}


class InboxFilter(NamedTuple):
    """Which notifications to list. Empty: whatever the value. text: words that all must occur."""

    view: View = View.INBOX
    workspace_id: str = ""
    source: str = ""
    channel: str = ""
    priority: str = ""
    outcome: str = ""
    text: str = ""

    def conditions(self) -> list[tuple[str, str]]:
        """Return pairs of an expression, in which `?` stands for the value, and the value."""
        pairs = [
            (f"notifications.{column} = ?", value)
            for column in ("workspace_id", "source", "channel", "priority", "outcome")
            if (value := getattr(self, column))
        ]
        for word in self.text.casefold().split():
            escaped = word.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
            pairs.append((r"search LIKE ? ESCAPE '\'", f"%{escaped}%"))
        return pairs


class InboxSummary(NamedTuple):
    """Counts over all that is not deleted.

    unread: in the inbox. stored: archived ones included. sources, workspaces, channels: how many
    notifications of each are in the inbox. bars: for each hour or day, oldest first, how many of
    each source were received.
    """

    unread: int
    stored: int
    sources: dict[str, int]
    workspaces: dict[str, int]
    channels: dict[str, int]
    bars: list[dict[str, int]]


class NotificationState(NamedTuple):
    """What pages show differently after a change."""

    seq: int
    revision: int
    is_read: bool
    is_archived: bool
    is_deleted: bool
    undelivered: list[Json]
    question: Question | None

    def as_json(self) -> Json:
        return {
            "seq": self.seq,
            "read": self.is_read,
            "archived": self.is_archived,
            "deleted": self.is_deleted,
            "question": self.question and self.question.as_json(),
            **({"undelivered": self.undelivered} if self.undelivered else {}),
        }


# --- inside a transaction of the store


async def page(
    transaction: Transaction, wanted: InboxFilter, before: int | None, limit: int
) -> list[StoredNotification]:
    """Return the newest that pass the filter, newest first. before: only older than this number."""
    clauses, values = [_VIEWS[wanted.view]], list[object]()
    pairs: list[tuple[str, object]] = [*wanted.conditions()]
    if before is not None:
        pairs.append(("seq < ?", before))
    for expression, value in pairs:
        values.append(value)
        clauses.append(expression.replace("?", f"${len(values)}"))
    values.append(limit)
    condition = f"{' AND '.join(clauses)} ORDER BY seq DESC LIMIT ${len(values)}"
    return await notifications.select(transaction, condition, *values)


async def changed_since(
    transaction: Transaction, revision: int, limit: int
) -> list[NotificationState]:
    """Return the states that changed after a revision, in the order of the changes."""
    rows = await transaction.fetch(
        "SELECT seq, revision, read_at IS NOT NULL, archived_at IS NOT NULL,"
        f" deleted_at IS NOT NULL, undelivered, {questions.COLUMNS} FROM notifications {QUESTIONS}"
        " WHERE revision > $1 ORDER BY revision, seq LIMIT $2",
        revision,
        limit,
    )
    return [
        NotificationState(
            *(row[0], row[1], bool(row[2]), bool(row[3]), bool(row[4])),
            *(json.loads(row[5]), Question.of(row[6:])),
        )
        for row in rows
    ]


async def summarize(transaction: Transaction, wall: float, bar: float) -> InboxSummary:
    """Count what is stored. bar: seconds that each of the bars covers; the last ends now."""
    first = wall - CHART_BARS * bar
    bars: list[Counter[str]] = [Counter() for _ in range(CHART_BARS)]
    rows = await transaction.fetch(
        "SELECT received_at, source FROM notifications WHERE received_at > $1"
        " AND deleted_at IS NULL",
        first,
    )
    for received_at, source in rows:
        bars[min(int((received_at - first) / bar), CHART_BARS - 1)][source] += 1
    counts = _Counts()
    for row in await transaction.fetch(
        "SELECT source, workspace_id, channel, archived_at IS NULL, read_at IS NULL, count(*)"
        " FROM notifications WHERE deleted_at IS NULL"
        " GROUP BY source, workspace_id, channel, archived_at IS NULL, read_at IS NULL"
    ):
        counts.add(row)
    return InboxSummary(
        counts.unread,
        counts.stored,
        _most(counts.sources),
        _most(counts.workspaces),
        _most(counts.channels),
        [dict(bar) for bar in bars],
    )


class _Counts:
    def __init__(self) -> None:
        self.unread = self.stored = 0
        self.sources: Counter[str] = Counter()
        self.workspaces: Counter[str] = Counter()
        self.channels: Counter[str] = Counter()

    def add(self, row: Row) -> None:
        source, workspace_id, channel, is_in_inbox, is_unread, number = row
        self.stored += number
        if is_in_inbox:
            self.unread += number if is_unread else 0
            self.sources[source] += number
            self.workspaces[workspace_id] += number
            self.channels[channel] += number


def _most(counts: Counter[str]) -> dict[str, int]:
    """Return the names that occur most often; nothing has an empty one."""
    names = sorted(filter(None, counts), key=lambda name: (-counts[name], name))
    return {name: counts[name] for name in names[:_MOST_NAMES]}
