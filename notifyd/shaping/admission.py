"""The way into the outbox: budget, storm and capacity. The contract's algorithm, second half."""

from dataclasses import replace

from notifyd.model.notifications import (
    Content,
    Digest,
    MatchSummary,
    Message,
    Notification,
    Priority,
    Status,
)
from notifyd.shaping.state import PendingDigest
from notifyd.shaping.step_context import StepContext
from notifyd.shaping.summaries import counted, digest_of
from notifyd.shaping.trace import Action

NEVER = 4e12
"""A wall-clock time that does not come: digests of what was lost must not be lost themselves."""

_REASONS = {
    "budget": "over the budget: told in the next digest",
    "full": "the outbox is full: told in the next digest",
    "mute": "muted: told in one digest when that ends",
}

DIGEST = "digest:"
"""Marks a row's group as a digest that more may be counted into."""


def admit(draft: StepContext, row: Notification, content: Content) -> Notification:
    """Let a notification in, or count it into a digest; returns the row as it was written."""
    if not affordable(draft, row):
        return over_budget(draft, row, content)
    if draft.waiting() >= draft.rules.capacity and len(draft.queued()) >= draft.rules.capacity:
        trace(draft, Action.FULL, row, content)
        return merge(draft, row, content, "full", "full", due=draft.now.mono)
    draft.put_notification(row, content)
    draft.add_stats(row.trigger, sent=1)
    trace(draft, Action.QUEUED, row, content, known=row.id)
    return row


def new_row(
    draft: StepContext,
    trigger: str,
    priority: Priority,
    count: int,
    *,
    group: str = "",
    known: str = "",
) -> Notification:
    """Begin a row. known: its id, where one was promised before."""
    return Notification(
        id=known or draft.new_id(),
        status=Status.QUEUED,
        trigger=trigger,
        priority=priority,
        count=count,
        created=draft.now.wall,
        expires=draft.now.wall + draft.rules.expire,
        group=group,
    )


def _budgeted(draft: StepContext, row: Notification) -> bool:
    return draft.rules.digest and row.priority.rank <= Priority.DEFAULT.rank


def affordable(draft: StepContext, row: Notification) -> bool:
    """Pay for a notification from the budget, if it needs to; tells whether it may be sent."""
    return not _budgeted(draft, row) or _spend(draft)


def _spend(draft: StepContext) -> bool:
    """Take one notification from the budget, if it has room."""
    limit, now = draft.rules.budget, draft.now.mono
    spent = limit.within(draft.global_state.budget_spent, now)
    room = len(spent) < limit.max
    draft.global_state = replace(draft.global_state, budget_spent=(*spent, now) if room else spent)
    return room


def _next_room(draft: StepContext) -> float:
    limit, spent = draft.rules.budget, draft.global_state.budget_spent
    return spent[-limit.max] + limit.per if len(spent) >= limit.max else draft.now.mono


def over_budget(draft: StepContext, row: Notification, content: Content | None) -> Notification:
    due = _next_room(draft)
    trace(draft, Action.BUDGET, row, content, until=draft.wall(due))
    return merge(draft, row, content, "budget", "budget", due=due)


def merge(
    draft: StepContext,
    row: Notification,
    content: Content | None,
    key: str,
    reason: str,
    *,
    due: float,
) -> Notification:
    """Count a notification into a digest instead; returns its row as it ended.

    content: None for a request whose text is written already.
    """
    lines = (
        content.lines if isinstance(content, (MatchSummary, Digest)) else (_headline(row, content),)
    )
    held = add_to_digest(draft, key, reason, {row.trigger: row.count}, lines, due=due)
    merged = replace(row, status=Status.MERGED, merged_into=held.id, group="")
    if not isinstance(
        content, (MatchSummary, Digest)
    ):  # somebody knows its id and may ask about it
        draft.put_notification(merged, content)
    draft.add_stats(row.trigger, reason=_REASONS[reason])
    return merged


def trace(
    draft: StepContext,
    did: Action,
    row: Notification,
    content: Content | None,
    *,
    until: float = 0.0,
    known: str = "",
) -> None:
    """Write down what became of a notification, beside its last line or its headline."""
    group = draft.group(row.group)
    draft.trace(
        row.trigger,
        did,
        row.count,
        line=content.event.line if isinstance(content, MatchSummary) else _headline(row, content),
        group=group.values if group else (),
        until=until,
        known=known,
    )


def _headline(row: Notification, content: Content | None) -> str:
    return row.title or (content.body if isinstance(content, Message) else "")


def add_to_digest(
    draft: StepContext,
    key: str,
    reason: str,
    counts: dict[str, int],
    lines: tuple[str, ...],
    *,
    due: float,
) -> PendingDigest:
    """Count into the digest of this key, begun if need be, placed when it is due."""
    held = draft.digest(key) or PendingDigest(
        draft.new_id(), digest_of(reason, draft.now.wall), due, placed=False
    )
    held = replace(held, digest=counted(held.digest, counts, draft.now.wall, lines))
    draft.put_digest(key, held)
    row = draft.notification(held.id)
    if row is not None:
        draft.put_notification(replace(row, count=held.digest.count), held.digest)
    elif held.due <= draft.now.mono:
        place(draft, key, held)
    return held


def place(draft: StepContext, key: str, held: PendingDigest) -> None:
    """Put a digest's row into the outbox, where more may join it until it is tried."""
    triggers = list(held.digest.counts)
    row = new_row(
        draft,
        triggers[0] if len(triggers) == 1 else "",
        held.priority,
        held.digest.count,
        group=DIGEST + key,
        known=held.id,
    )
    draft.put_notification(replace(row, expires=NEVER), held.digest)
    draft.put_digest(key, replace(held, placed=True))


def place_due(draft: StepContext, key: str, held: PendingDigest) -> None:
    """Place a digest that waited for its time; one of the budget also needs room in it."""
    if held.placed or held.due > draft.now.mono:
        return
    if held.digest.reason == "budget" and not _spend(draft):
        draft.put_digest(key, replace(held, due=_next_room(draft)))
        return
    place(draft, key, held)


def release_group(draft: StepContext, row: Notification) -> None:
    """Let nothing more join a row: it was tried, or it ended."""
    if row.group.startswith(DIGEST):
        draft.put_digest(row.group.removeprefix(DIGEST), None)
    elif row.group and (group := draft.group(row.group)) and group.open == row.id:
        draft.put_group(row.group, replace(group, open="", told=None))


def merge_storm(draft: StepContext) -> None:
    """Merge by trigger what was never tried, when more waits than the rate can soon send."""
    limit = draft.rules.storm if draft.rules.digest else draft.rules.capacity
    if draft.waiting() <= limit:
        return
    queued = draft.queued()
    if len(queued) <= limit:
        return
    by_trigger: dict[str, list[Notification]] = {}
    for row in queued:
        untouched = not row.was_attempted and not row.group.startswith(DIGEST)
        if untouched and row.priority.rank <= Priority.DEFAULT.rank:
            by_trigger.setdefault(row.trigger, []).append(row)
    for trigger, rows in by_trigger.items():
        key = f"storm:{trigger}"
        alone = len(rows) == 1 and draft.digest(key) is None
        if alone:
            continue
        counts = {trigger: sum(row.count for row in rows)}
        if not counts[trigger]:  # reminders only
            continue
        titles = tuple(row.title for row in rows if row.title)
        held = add_to_digest(draft, key, "storm", counts, titles, due=draft.now.mono)
        for row in rows:
            release_group(draft, row)
            draft.put_notification(
                replace(row, status=Status.MERGED, merged_into=held.id, group="")
            )


def expire(draft: StepContext, row: Notification) -> None:
    release_group(draft, row)
    draft.put_notification(replace(row, status=Status.EXPIRED, group=""))
    if not row.count:
        return
    lines = (row.title,) if row.title else ()
    counts = {row.trigger: row.count}
    add_to_digest(draft, "expired", "expired", counts, lines, due=draft.now.mono)
