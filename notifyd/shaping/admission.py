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
from notifyd.shaping.summaries import extend_digest, new_digest
from notifyd.shaping.trace import Action

NEVER = 4e12
"""A wall-clock time that does not come: digests of what was lost must not be lost themselves."""

_REASONS = {
    "budget": "over the budget: told in the next digest",
    "full": "the outbox is full: told in the next digest",
    "mute": "muted: told in one digest when that ends",
}

DIGEST_PREFIX = "digest:"
"""Marks a row's group as a digest that more may be counted into."""


def admit(context: StepContext, notification: Notification, content: Content) -> Notification:
    """Let a notification in, or count it into a digest; returns the row as it was written."""
    if not charge_budget(context, notification):
        return merge_over_budget(context, notification, content)
    if (
        context.waiting_at_most() >= context.rules.capacity
        and len(context.queued()) >= context.rules.capacity
    ):
        trace_notification(context, Action.OUTBOX_FULL, notification, content)
        return merge_into_digest(
            context, notification, content, "full", "full", due=context.now.mono
        )
    context.put_notification(notification, content)
    context.add_stats(notification.trigger, sent=1)
    trace_notification(context, Action.QUEUED, notification, content, known=notification.id)
    return notification


def new_notification(
    context: StepContext,
    trigger: str,
    priority: Priority,
    count: int,
    *,
    group: str = "",
    known: str = "",
) -> Notification:
    """Begin a row. known: its id, where one was promised before."""
    return Notification(
        id=known or context.new_id(),
        status=Status.QUEUED,
        trigger=trigger,
        priority=priority,
        count=count,
        created=context.now.wall,
        expires=context.now.wall + context.rules.expire,
        group=group,
    )


def _is_budgeted(context: StepContext, notification: Notification) -> bool:
    return context.rules.digest and notification.priority.rank <= Priority.DEFAULT.rank


def charge_budget(context: StepContext, notification: Notification) -> bool:
    """Pay for a notification from the budget, if it needs to; tells whether it may be sent."""
    return not _is_budgeted(context, notification) or _spend_budget(context)


def _spend_budget(context: StepContext) -> bool:
    """Take one notification from the budget, if it has room."""
    limit, now = context.rules.budget, context.now.mono
    spent = limit.within(context.global_state.budget_spent, now)
    room = len(spent) < limit.max
    context.global_state = replace(
        context.global_state, budget_spent=(*spent, now) if room else spent
    )
    return room


def _budget_free_at(context: StepContext) -> float:
    limit, spent = context.rules.budget, context.global_state.budget_spent
    return spent[-limit.max] + limit.per if len(spent) >= limit.max else context.now.mono


def merge_over_budget(
    context: StepContext, notification: Notification, content: Content | None
) -> Notification:
    due = _budget_free_at(context)
    trace_notification(
        context, Action.OVER_BUDGET, notification, content, until=context.to_wall(due)
    )
    return merge_into_digest(context, notification, content, "budget", "budget", due=due)


def merge_into_digest(
    context: StepContext,
    notification: Notification,
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
        content.lines
        if isinstance(content, (MatchSummary, Digest))
        else (_headline(notification, content),)
    )
    pending = add_to_digest(
        context, key, reason, {notification.trigger: notification.count}, lines, due=due
    )
    merged = replace(notification, status=Status.MERGED, merged_into=pending.id, group="")
    if not isinstance(
        content, (MatchSummary, Digest)
    ):  # somebody knows its id and may ask about it
        context.put_notification(merged, content)
    context.add_stats(notification.trigger, reason=_REASONS[reason])
    return merged


def trace_notification(
    context: StepContext,
    did: Action,
    notification: Notification,
    content: Content | None,
    *,
    until: float = 0.0,
    known: str = "",
) -> None:
    """Write down what became of a notification, beside its last line or its headline."""
    group = context.group(notification.group)
    context.trace(
        notification.trigger,
        did,
        notification.count,
        line=content.event.line
        if isinstance(content, MatchSummary)
        else _headline(notification, content),
        group=group.values if group else (),
        until=until,
        known=known,
    )


def _headline(notification: Notification, content: Content | None) -> str:
    return notification.title or (content.body if isinstance(content, Message) else "")


def add_to_digest(
    context: StepContext,
    key: str,
    reason: str,
    counts: dict[str, int],
    lines: tuple[str, ...],
    *,
    due: float,
) -> PendingDigest:
    """Count into the digest of this key, begun if need be, placed when it is due."""
    pending = context.digest(key) or PendingDigest(
        context.new_id(), new_digest(reason, context.now.wall), due, queued=False
    )
    pending = replace(
        pending, digest=extend_digest(pending.digest, counts, context.now.wall, lines)
    )
    context.put_digest(key, pending)
    notification = context.notification(pending.id)
    if notification is not None:
        context.put_notification(replace(notification, count=pending.digest.count), pending.digest)
    elif pending.due <= context.now.mono:
        queue_digest(context, key, pending)
    return pending


def queue_digest(context: StepContext, key: str, pending: PendingDigest) -> None:
    """Put a digest's row into the outbox, where more may join it until it is tried."""
    triggers = list(pending.digest.counts)
    notification = new_notification(
        context,
        triggers[0] if len(triggers) == 1 else "",
        pending.priority,
        pending.digest.count,
        group=DIGEST_PREFIX + key,
        known=pending.id,
    )
    context.put_notification(replace(notification, expires=NEVER), pending.digest)
    context.put_digest(key, replace(pending, queued=True))


def queue_due_digest(context: StepContext, key: str, pending: PendingDigest) -> None:
    """Place a digest that waited for its time; one of the budget also needs room in it."""
    if pending.queued or pending.due > context.now.mono:
        return
    if pending.digest.reason == "budget" and not _spend_budget(context):
        context.put_digest(key, replace(pending, due=_budget_free_at(context)))
        return
    queue_digest(context, key, pending)


def close_group(context: StepContext, notification: Notification) -> None:
    """Let nothing more join a row: it was tried, or it ended."""
    if notification.group.startswith(DIGEST_PREFIX):
        context.put_digest(notification.group.removeprefix(DIGEST_PREFIX), None)
    elif (
        notification.group
        and (group := context.group(notification.group))
        and group.open_id == notification.id
    ):
        context.put_group(notification.group, replace(group, open_id="", open_summary=None))


def merge_storm(context: StepContext) -> None:
    """Merge by trigger what was never tried, when more waits than the rate can soon send."""
    limit = context.rules.storm_limit if context.rules.digest else context.rules.capacity
    if context.waiting_at_most() <= limit:
        return
    queued = context.queued()
    if len(queued) <= limit:
        return
    by_trigger: dict[str, list[Notification]] = {}
    for notification in queued:
        untouched = not notification.was_attempted and not notification.group.startswith(
            DIGEST_PREFIX
        )
        if untouched and notification.priority.rank <= Priority.DEFAULT.rank:
            by_trigger.setdefault(notification.trigger, []).append(notification)
    for trigger, rows in by_trigger.items():
        key = f"storm:{trigger}"
        alone = len(rows) == 1 and context.digest(key) is None
        if alone:
            continue
        counts = {trigger: sum(notification.count for notification in rows)}
        if not counts[trigger]:  # reminders only
            continue
        titles = tuple(notification.title for notification in rows if notification.title)
        pending = add_to_digest(context, key, "storm", counts, titles, due=context.now.mono)
        for notification in rows:
            close_group(context, notification)
            context.put_notification(
                replace(notification, status=Status.MERGED, merged_into=pending.id, group="")
            )


def expire(context: StepContext, notification: Notification) -> None:
    close_group(context, notification)
    context.put_notification(replace(notification, status=Status.EXPIRED, group=""))
    if not notification.count:
        return
    lines = (notification.title,) if notification.title else ()
    counts = {notification.trigger: notification.count}
    add_to_digest(context, "expired", "expired", counts, lines, due=context.now.mono)
