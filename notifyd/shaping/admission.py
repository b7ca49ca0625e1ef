"""Admission to the outbox: budget, capacity, storms and the digests that replace notifications."""

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
from notifyd.shaping.budget import (
    Charge,
    current_charges,
    digest_due_at,
    has_budget,
    latest_digest_due,
    source_of,
)
from notifyd.shaping.inputs import Submitted
from notifyd.shaping.state import PendingDigest
from notifyd.shaping.step_context import StepContext
from notifyd.shaping.summaries import extend_digest, new_digest
from notifyd.shaping.trace import Action

NEVER = 4e12
"""The `expires` of what never expires: a digest of lost notifications must not expire itself."""

DIGEST_PREFIX = "digest:"
"""Begins the `group` of a notification that is a digest, which more may be counted into."""

BUDGET_DIGEST = "budget"
"""The key and the reason of the digest of what is over the budget."""

_REASONS = {
    BUDGET_DIGEST: "over the budget; counted in the next digest",
    "full": "the outbox is full; counted in the next digest",
    "mute": "muted; counted in one digest when the mute ends",
}
"""Why a match made no notification, by the reason of the digest that counts it."""


def new_notification(
    context: StepContext,
    trigger: str,
    priority: Priority,
    count: int,
    *,
    group: str = "",
    notification_id: str = "",
) -> Notification:
    """Return a queued notification. notification_id: the id, if one was given out already."""
    return Notification(
        id=notification_id or context.new_id(),
        status=Status.QUEUED,
        trigger=trigger,
        priority=priority,
        count=count,
        created=context.now.wall,
        expires=context.expiry_in(context.rules.expire),
        group=group,
    )


def new_message(context: StepContext, request: Submitted) -> Notification:
    """Return the queued notification of a message."""
    return Notification(
        id=request.id or context.new_id(),
        status=Status.QUEUED,
        trigger=request.trigger,
        priority=request.priority,
        count=1,
        created=request.created or context.now.wall,
        expires=context.expiry_in(context.rules.expire),
        key=request.key,
        peer=request.peer,
        title=request.message.title,
    )


def admit(context: StepContext, notification: Notification, content: Content) -> Notification:
    """Queue a notification, or count it into a digest; returns it as it is after that."""
    if not charge_budget(context, notification):
        return merge_over_budget(context, notification, content)
    capacity = context.rules.capacity
    if context.waiting_at_most() >= capacity and len(context.queued()) >= capacity:
        refund_budget(context, notification)
        trace_notification(context, Action.OUTBOX_FULL, notification, content)
        return merge_into_digest(
            context, notification, content, "full", "full", due=context.now.mono
        )
    context.put_notification(notification, content)
    context.add_stats(notification.trigger, sent=1)
    trace_notification(
        context, Action.QUEUED, notification, content, notification_id=notification.id
    )
    return notification


def charge_budget(context: StepContext, notification: Notification) -> bool:
    """Charge a notification to the budget if it counts there; False if the budget is used up."""
    if not context.rules.digest or notification.priority.rank > Priority.DEFAULT.rank:
        return True
    budget, now, source = context.rules.budget, context.now.mono, source_of(notification)
    charges = current_charges(context.global_state.charges, budget, now)
    is_charged = has_budget(charges, budget, source)
    if is_charged:
        charges = (*charges, Charge(now, source, notification.id))
    context.global_state = replace(context.global_state, charges=charges)
    return is_charged


def refund_budget(context: StepContext, *notifications: Notification) -> None:
    """Take back the charges of notifications that are withdrawn before their first attempt."""
    withdrawn = {notification.id for notification in notifications}
    charges = tuple(
        charge for charge in context.global_state.charges if charge.notification_id not in withdrawn
    )
    context.global_state = replace(context.global_state, charges=charges)


def merge_over_budget(
    context: StepContext, notification: Notification, content: Content | None
) -> Notification:
    """Count a notification into the digest of what is over the budget; returns it as merged."""
    now, pending = context.now.mono, context.digest(BUDGET_DIGEST)
    not_before = context.global_state.budget_digest_from
    due = digest_due_at(pending.began_at if pending else now, now, not_before)
    until = context.to_wall(due)
    trace_notification(context, Action.OVER_BUDGET, notification, content, until=until)
    return merge_into_digest(context, notification, content, BUDGET_DIGEST, BUDGET_DIGEST, due=due)


def is_over_budget(context: StepContext, notification: Notification) -> bool:
    """Whether a notification is counted in the digest of what is over the budget."""
    pending = context.digest(BUDGET_DIGEST)
    return pending is not None and pending.id == notification.merged_into


def apply_digest_pause(context: StepContext) -> None:
    """Adjust the digest of what is over the budget to new rules, mutes or clocks."""
    latest = context.now.mono + context.rules.budget.digest_pause
    not_before = min(context.global_state.budget_digest_from, latest)
    context.global_state = replace(context.global_state, budget_digest_from=not_before)
    pending = context.digest(BUDGET_DIGEST)
    if pending is not None and not pending.queued:
        due = min(pending.due, latest_digest_due(context.now.mono, not_before))
        context.put_digest(BUDGET_DIGEST, replace(pending, due=due))


def merge_into_digest(
    context: StepContext,
    notification: Notification,
    content: Content | None,
    key: str,
    reason: str,
    *,
    due: float,
) -> Notification:
    """Count a notification into the digest of this key; returns it as merged.

    content: None for a held request, whose text is in the outbox already. due: when the digest
    enters the outbox, if it is not there yet.
    """
    if isinstance(content, MatchSummary | Digest):
        lines = content.lines
    else:
        lines = (_headline(notification, content),)
    counts = {notification.trigger: notification.count}
    pending = add_to_digest(context, key, reason, counts, lines, due=due)
    merged = replace(notification, status=Status.MERGED, merged_into=pending.id, group="")
    if content is None or isinstance(content, Message):  # its sender knows the id
        context.put_notification(merged, content)
    context.add_stats(notification.trigger, reason=_REASONS[reason])
    return merged


def trace_notification(
    context: StepContext,
    action: Action,
    notification: Notification,
    content: Content | None,
    *,
    until: float = 0.0,
    notification_id: str = "",
) -> None:
    """Trace what a step did with a notification, with its last line or its headline."""
    group = context.group(notification.group)
    headline = _headline(notification, content)
    context.trace(
        notification.trigger,
        action,
        notification.count,
        line=content.event.line if isinstance(content, MatchSummary) else headline,
        group=group.values if group else (),
        until=until,
        notification_id=notification_id,
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
    """Count into the digest of this key. It enters the outbox when it is due."""
    now, wall = context.now.mono, context.now.wall
    pending = context.digest(key) or PendingDigest(
        context.new_id(), new_digest(reason, wall), due, queued=False, began_at=now
    )
    digest = extend_digest(pending.digest, counts, wall, lines)
    pending = replace(pending, digest=digest, due=due)
    context.put_digest(key, pending)
    notification = context.notification(pending.id)
    if notification is not None:
        context.put_notification(replace(notification, count=pending.digest.count), pending.digest)
    elif due <= now:
        queue_digest(context, key, pending)
    return pending


def queue_digest(context: StepContext, key: str, pending: PendingDigest) -> None:
    """Put a digest into the outbox. Until its first attempt, more is counted into it."""
    triggers = list(pending.digest.counts)
    notification = new_notification(
        context,
        triggers[0] if len(triggers) == 1 else "",
        pending.priority,
        pending.digest.count,
        group=DIGEST_PREFIX + key,
        notification_id=pending.id,
    )
    context.put_notification(replace(notification, expires=NEVER), pending.digest)
    context.put_digest(key, replace(pending, queued=True))


def queue_due_digest(context: StepContext, key: str, pending: PendingDigest) -> None:
    """Queue a digest whose time has come. Digests are never charged to the budget."""
    if not pending.queued and pending.due <= context.now.mono:
        queue_digest(context, key, pending)


def close_group(context: StepContext, notification: Notification) -> None:
    """Let no more matches join a notification that was attempted or has ended."""
    key = notification.group
    if key.startswith(DIGEST_PREFIX):
        key = key.removeprefix(DIGEST_PREFIX)
        context.put_digest(key, None)
        if key == BUDGET_DIGEST:  # it takes no more from now on, so the pause begins
            not_before = context.now.mono + context.rules.budget.digest_pause
            context.global_state = replace(context.global_state, budget_digest_from=not_before)
    elif key and (group := context.group(key)) and group.open_id == notification.id:
        context.put_group(key, replace(group, open_id="", open_summary=None))


def merge_storm(context: StepContext) -> None:
    """Merge what was never attempted, by trigger, if more waits than the rate can soon send."""
    limit = context.rules.storm_limit if context.rules.digest else context.rules.capacity
    if context.waiting_at_most() <= limit:
        return
    queued = context.queued()
    if len(queued) <= limit:
        return
    by_trigger: dict[str, list[Notification]] = {}
    for notification in queued:
        if _may_be_merged(notification):
            by_trigger.setdefault(notification.trigger, []).append(notification)
    for trigger, notifications in by_trigger.items():
        _merge_trigger(context, trigger, notifications)


def _may_be_merged(notification: Notification) -> bool:
    is_digest = notification.group.startswith(DIGEST_PREFIX)
    urgent = notification.priority.rank > Priority.DEFAULT.rank
    return not (notification.was_attempted or is_digest or urgent)


def _merge_trigger(context: StepContext, trigger: str, notifications: list[Notification]) -> None:
    key = f"storm:{trigger}"
    if len(notifications) == 1 and context.digest(key) is None:
        return
    counts = {trigger: sum(notification.count for notification in notifications)}
    if not counts[trigger]:  # reminders only
        return
    titles = tuple(notification.title for notification in notifications if notification.title)
    pending = add_to_digest(context, key, "storm", counts, titles, due=context.now.mono)
    refund_budget(context, *notifications)
    for notification in notifications:
        close_group(context, notification)
        merged = replace(notification, status=Status.MERGED, merged_into=pending.id, group="")
        context.put_notification(merged)


def expire(context: StepContext, notification: Notification) -> None:
    """Give a notification up because of its age, and count it into a digest."""
    close_group(context, notification)
    context.put_notification(replace(notification, status=Status.EXPIRED, group=""))
    if not notification.count:
        return
    lines = (notification.title,) if notification.title else ()
    counts = {notification.trigger: notification.count}
    add_to_digest(context, "expired", "expired", counts, lines, due=context.now.mono)
