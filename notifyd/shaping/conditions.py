"""Conditions that last: told when they begin, again while they last, and when they end."""

from dataclasses import replace

from notifyd.model.events import AlertState, Match
from notifyd.model.notifications import ConditionReport, MatchSummary, Priority
from notifyd.shaping.admission import admit, charge_budget
from notifyd.shaping.group import NEVER, Condition, Group
from notifyd.shaping.matches import (
    add_to_group,
    join_open_notification,
    new_group_notification,
    set_open_notification,
)
from notifyd.shaping.mutes import hold_back, mute_digest, muted_until, retract_match
from notifyd.shaping.step_context import StepContext
from notifyd.shaping.summaries import summarize_one
from notifyd.shaping.trace import Action

_GRACE = 60.0
"""Seconds after a start for the news to come that a condition ended meanwhile."""


def update_condition(context: StepContext, key: str, group: Group, match: Match) -> None:
    """Take in that a condition begins or ends; one that is known already changes nothing."""
    if match.event.alert_state is AlertState.FIRING:
        if group.condition is None:
            add_to_group(
                context, key, replace(group, condition=Condition(match.event)), [match.event]
            )
    elif group.condition is not None:
        _resolve(context, key, replace(group, condition=None), group.condition, match)


def _resolve(
    context: StepContext, key: str, group: Group, condition: Condition, match: Match
) -> None:
    event, trigger = match.event, group.trigger
    rule = context.rule(trigger)
    context.put_group(key, group)
    pending = mute_digest(context, trigger)
    if pending is not None and pending.id == condition.mute_digest_id:
        retract_match(context, trigger, condition.event.line)
        context.add_stats(trigger, matches=1, quiet=2, reason="came and went while muted")
        context.trace(trigger, Action.ENDED_WHILE_MUTED, 2, line=event.line, group=group.values)
        return
    if not rule.resolve:
        return
    if group.summary is not None and group.summary.condition_report is ConditionReport.FIRING:
        add_to_group(context, key, group, [event])  # the alarm is still to be told: both become one
        return
    context.add_stats(trigger, matches=1)
    summary = summarize_one(event)
    if join_open_notification(context, key, group, summary):
        return
    notification = new_group_notification(context, key, group, summary)
    if hold_back(context, notification, summary) is None:
        set_open_notification(context, key, group, admit(context, notification, summary), summary)


def remind(context: StepContext, key: str, group: Group) -> None:
    """Tell once more of a condition that lasts, unless its first notification still waits."""
    condition, rule = group.condition, context.rule(group.trigger)
    if condition is None or condition.remind_at > context.now.mono:
        return
    number = condition.reminders + 1
    step = rule.repeat[min(number, len(rule.repeat) - 1)] if rule.repeat else NEVER
    unheard = (
        group.summary is not None
        or context.notification(group.open_id)
        or context.notification(condition.reminder_id)
    )
    muted = rule.priority is not Priority.URGENT and muted_until(context, group.trigger)
    condition = replace(condition, remind_at=context.now.mono + step, reminders=number)
    summary = _reminder(condition)
    notification = new_group_notification(context, "", group, summary)
    if unheard or muted or not rule.repeat or not charge_budget(context, notification):
        context.trace(group.trigger, Action.NOT_REPORTED, 0, line=condition.event.line)
    else:
        condition = replace(condition, reminder_id=notification.id)
        context.put_notification(notification, summary)
        context.add_stats(group.trigger, sent=1)
        context.trace(
            group.trigger, Action.REMINDED, 0, line=condition.event.line, known=notification.id
        )
    context.put_group(key, replace(group, condition=condition))


def _reminder(condition: Condition) -> MatchSummary:
    return replace(
        summarize_one(condition.event),
        count=0,
        condition_report=ConditionReport.STILL_FIRING,
        reminder=condition.reminders,
    )


def apply_rules(context: StepContext) -> None:
    """After a start or a reload: forget what no trigger tells any more, and remind not at once."""
    for key, group in context.groups():
        if group.condition is None:
            continue
        rule = context.rule(group.trigger)
        if not rule.has_conditions:
            context.put_group(key, replace(group, condition=None))
        elif not rule.repeat:
            context.put_group(
                key, replace(group, condition=replace(group.condition, remind_at=NEVER))
            )
        elif group.condition.remind_at < context.now.mono + _GRACE:
            condition = replace(group.condition, remind_at=context.now.mono + _GRACE)
            context.put_group(key, replace(group, condition=condition))
