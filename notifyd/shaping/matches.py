"""Matches and groups: finding a match's group, counting, and reporting what is due."""

from collections.abc import Sequence
from dataclasses import replace

from notifyd.model.events import AlertState, Event, Now
from notifyd.model.notifications import ConditionReport, MatchSummary, Notification, Status
from notifyd.shaping.admission import admit, new_notification
from notifyd.shaping.codec import group_key
from notifyd.shaping.group import (
    NEVER,
    OTHERS,
    Group,
    add_matches,
    is_due,
    max_batch,
    start_cooldown,
)
from notifyd.shaping.mutes import hold_back
from notifyd.shaping.rules import Rule
from notifyd.shaping.step_context import StepContext
from notifyd.shaping.summaries import merge_summaries
from notifyd.shaping.trace import Action


def find_group(context: StepContext, trigger: str, values: tuple[str, ...]) -> tuple[str, Group]:
    """Return the key and the group for matches of these values; it may be a new one."""
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
    """Count matches of one group that came at once, with the same result as one by one.

    Matches after which the group only waits are counted together: nearly all of a burst.
    """
    rule = context.rule(trigger)
    while events:
        key, group = find_group(context, trigger, values)
        most = max_batch(group, events, context.now, rule)
        add_to_group(context, key, group, events[:most])
        events = events[most:] if most else ()


def add_to_group(context: StepContext, key: str, group: Group, events: Sequence[Event]) -> None:
    """Count at most `max_batch` matches, and report the group if it is due then."""
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


def _trace_waiting(context: StepContext, group: Group, rule: Rule, matches: int, line: str) -> str:
    """Trace what matches wait for; returns it in words."""
    trigger, values = group.trigger, group.values
    if group.summary is None:
        detail = f"{len(group.window)} of {rule.threshold} within {rule.window:g} s"
        context.trace(
            trigger, Action.BELOW_THRESHOLD, matches, line=line, group=values, detail=detail
        )
        return "below the threshold so far"
    until = context.to_wall(group.due)
    if context.now.mono < group.cooldown_until <= group.due:
        context.trace(trigger, Action.COOLING_DOWN, matches, line=line, group=values, until=until)
        return "cooling down; reported when the cooldown ends"
    context.trace(trigger, Action.DEBOUNCING, matches, line=line, group=values, until=until)
    return "debouncing; reported when the matches pause"


def emit(context: StepContext, key: str, group: Group) -> None:
    """Report what is due: in the group's open notification, or else in a new one."""
    if group.summary is not None and not join_open_notification(context, key, group, group.summary):
        _notify(context, key, group, group.summary)


def join_open_notification(
    context: StepContext, key: str, group: Group, summary: MatchSummary
) -> bool:
    """Add matches to the group's notification; False if none is open."""
    notification = context.notification(group.open_id) if group.open_id else None
    if notification is None or notification.was_attempted:
        return False
    merged = merge_summaries(group.open_summary, summary)
    priority = max(
        notification.priority,
        context.rule(group.trigger).priority_of(summary),
        key=lambda each: each.rank,
    )
    context.put_notification(replace(notification, count=merged.count, priority=priority), merged)
    if summary is group.summary:
        group = start_cooldown(group, context.now, context.rule(group.trigger))
    context.put_group(key, replace(group, open_summary=merged))
    context.add_stats(group.trigger)
    context.trace(
        group.trigger,
        Action.JOINED,
        summary.count,
        line=summary.event.line,
        group=group.values,
        notification_id=notification.id,
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
        # A cooldown starts only when a notification enters the outbox.
        group = replace(group, summary=None, open_id="", open_summary=None, condition=condition)
        context.put_group(key, group)
        return
    group = start_cooldown(group, context.now, rule)
    admitted = admit(context, notification, summary)
    set_open_notification(context, key, group, admitted, summary)


def new_group_notification(
    context: StepContext, key: str, group: Group, summary: MatchSummary
) -> Notification:
    priority = context.rule(group.trigger).priority_of(summary)
    return new_notification(context, group.trigger, priority, summary.count, group=key)


def set_open_notification(
    context: StepContext, key: str, group: Group, notification: Notification, summary: MatchSummary
) -> None:
    """Let later matches join an admitted notification, unless each match has its own."""
    is_plain = summary.event.alert_state is AlertState.NONE
    is_alone = is_plain and context.rule(group.trigger).notifies_each_match
    if notification.status is Status.QUEUED and not is_alone:
        context.put_group(key, replace(group, open_id=notification.id, open_summary=summary))
    else:
        context.put_group(key, replace(group, open_id="", open_summary=None))


def _schedule_reminder(group: Group, rule: Rule, now: Now) -> Group:
    """Set the time of the first reminder of a condition that is being reported."""
    condition = group.condition
    if condition is None or condition.remind_at < NEVER or not rule.repeat:
        return group
    return replace(group, condition=replace(condition, remind_at=now.mono + rule.repeat[0]))
