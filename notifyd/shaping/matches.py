"""What a match does to its group, and what becomes of a group that fired."""

from collections.abc import Sequence
from dataclasses import replace

from notifyd.model.events import AlertState, Event, Now
from notifyd.model.notifications import ConditionReport, MatchSummary, Notification, Status
from notifyd.shaping.admission import admit, new_notification
from notifyd.shaping.codec import group_key
from notifyd.shaping.group import NEVER, Group, add_matches, is_due, max_batch, start_cooldown
from notifyd.shaping.mutes import hold_back
from notifyd.shaping.rules import Rule
from notifyd.shaping.step_context import StepContext
from notifyd.shaping.summaries import merge_summaries
from notifyd.shaping.trace import Action

OTHERS = "(others)"
"""The group that takes the matches for which there is no room for a group of their own."""


def find_group(context: StepContext, trigger: str, values: tuple[str, ...]) -> tuple[str, Group]:
    """Find the group that matches belong to, or begin it."""
    rule = context.rule(trigger)
    key = group_key(trigger, values)
    group = context.group(key)
    if group is None and context.group_count(trigger) >= rule.max_groups:
        values = (OTHERS,) * len(values)
        key = group_key(trigger, values)
        group = context.group(key)
    return key, group or Group(trigger, values, rule.identity)


def count_matches(
    context: StepContext, trigger: str, values: tuple[str, ...], events: Sequence[Event]
) -> None:
    """Count matches of one group that came at once, and tell what fires with each of them.

    Those after which the group only waits are counted together: of a burst that is nearly all.
    """
    rule = context.rule(trigger)
    while events:
        key, group = find_group(context, trigger, values)
        most = max_batch(group, context.now, rule)
        add_to_group(context, key, group, events[:most])
        events = events[most:] if most else ()


def add_to_group(context: StepContext, key: str, group: Group, events: Sequence[Event]) -> None:
    """Add to a group as many matches as it has room for at once, and tell it if it is ripe."""
    rule = context.rule(group.trigger)
    group, below = add_matches(group, events, context.now, rule)
    context.put_group(key, group)
    if below:
        context.trace(group.trigger, Action.LAPSED, below, group=group.values)
    if is_due(group, context.now):
        context.add_stats(group.trigger, matches=len(events), below=below)
        emit(context, key, group)
        return
    reason = _trace_waiting(context, group, rule, len(events), events[-1].line)
    context.add_stats(group.trigger, matches=len(events), below=below, reason=reason)


def _trace_waiting(context: StepContext, group: Group, rule: Rule, number: int, line: str) -> str:
    """Write down what matches wait for; returns it in words."""
    if group.summary is None:
        have = f"{len(group.window)} of {rule.threshold} within {rule.window:g} s"
        context.trace(
            group.trigger,
            Action.BELOW_THRESHOLD,
            number,
            line=line,
            group=group.values,
            detail=have,
        )
        return "below the threshold so far"
    cooling = context.now.mono < group.cooldown_until
    did = Action.COOLING if cooling else Action.DEBOUNCING
    until = context.to_wall(group.due)
    context.trace(group.trigger, did, number, line=line, group=group.values, until=until)
    return "cooling down: told when that ends" if cooling else "waiting for the matches to pause"


def emit(context: StepContext, key: str, group: Group) -> None:
    """Make a notification of what fired, or let it join the one that nobody has tried yet."""
    if group.summary is not None and not join_open_notification(context, key, group, group.summary):
        _notify(context, key, group, group.summary)


def join_open_notification(
    context: StepContext, key: str, group: Group, summary: MatchSummary
) -> bool:
    """Add to the group's notification, if nobody has tried it yet; tells whether that was so."""
    notification = context.notification(group.open_id) if group.open_id else None
    if notification is None or notification.was_attempted:
        return False
    whole = merge_summaries(group.open_summary, summary)
    context.put_notification(replace(notification, count=whole.count), whole)
    if summary is group.summary:
        group = start_cooldown(group, context.now, context.rule(group.trigger))
    context.put_group(key, replace(group, open_summary=whole))
    context.add_stats(group.trigger)
    context.trace(
        group.trigger,
        Action.JOINED,
        summary.count,
        line=summary.event.line,
        group=group.values,
        known=notification.id,
    )
    return True


def _notify(context: StepContext, key: str, group: Group, summary: MatchSummary) -> None:
    rule = context.rule(group.trigger)
    notification = new_group_notification(context, key, group, summary)
    group = _schedule_reminder(group, rule, context.now)
    if muted := hold_back(context, notification, summary):
        condition = group.condition
        if condition and summary.condition_report is ConditionReport.FIRING:
            condition = replace(condition, mute_digest_id=muted.merged_into)
        # no cooldown: it begins with what enters the outbox, and what comes after the mute is news
        context.put_group(
            key, replace(group, summary=None, open_id="", open_summary=None, condition=condition)
        )
        return
    set_open_notification(
        context,
        key,
        start_cooldown(group, context.now, rule),
        admit(context, notification, summary),
        summary,
    )


def new_group_notification(
    context: StepContext, key: str, group: Group, summary: MatchSummary
) -> Notification:
    rule = context.rule(group.trigger)
    return new_notification(context, group.trigger, rule.priority, summary.count, group=key)


def set_open_notification(
    context: StepContext, key: str, group: Group, notification: Notification, summary: MatchSummary
) -> None:
    """Let later matches join a row that was admitted, if its trigger's are told together."""
    alone = (
        context.rule(group.trigger).notifies_each_match
        and summary.event.alert_state is AlertState.NONE
    )
    if notification.status is Status.QUEUED and not alone:
        context.put_group(key, replace(group, open_id=notification.id, open_summary=summary))
    else:
        context.put_group(key, replace(group, open_id="", open_summary=None))


def _schedule_reminder(group: Group, rule: Rule, now: Now) -> Group:
    """Set the time of the first reminder of a condition that is being told."""
    condition = group.condition
    if condition is None or condition.remind_at < NEVER or not rule.repeat:
        return group
    return replace(group, condition=replace(condition, remind_at=now.mono + rule.repeat[0]))
