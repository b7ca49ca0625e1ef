"""Conditions: reported when they begin, again while they last, and when they end."""

from dataclasses import replace

from notifyd.model.events import ENDED_QUIETLY, AlertState, Event, Match
from notifyd.model.notifications import ConditionReport, MatchSummary, Priority
from notifyd.model.persistence import Persistence
from notifyd.shaping.admission import admit, charge_budget
from notifyd.shaping.group import (
    NEVER,
    Condition,
    Group,
    Transition,
    is_rise,
    persistence_of,
    restarted_wait,
)
from notifyd.shaping.matches import (
    add_to_group,
    join_open_notification,
    new_group_notification,
    set_open_notification,
)
from notifyd.shaping.mutes import hold_back, mute_digest, muted_until, retract_match
from notifyd.shaping.step_context import StepContext
from notifyd.shaping.summaries import clip_event, summarize_one
from notifyd.shaping.trace import Action

_GRACE = 60.0
"""Seconds after a start without reminders: sources report first what ended meanwhile."""


def update_condition(context: StepContext, key: str, group: Group, match: Match) -> None:
    """Begin or end a group's condition once that is confirmed.

    A condition that fires with another severity than before is reported again: a higher one like
    its beginning, a lower one like its end. Otherwise a repeated state is not reported, but
    reminders show what it says.
    """
    event, condition = match.event, group.condition
    is_firing = event.alert_state is AlertState.FIRING
    if condition is None:
        is_change = is_firing
    else:
        is_change = not is_firing or event.severity != condition.event.severity
    if not is_change:
        if group.transition is not None:  # back before the change was confirmed
            context.put_group(key, replace(group, transition=None))
            context.trace(group.trigger, Action.NOT_CONFIRMED, 0, line=event.line)
        elif condition is not None and is_firing:
            _update_event(context, key, group, condition, event)
        return
    known = group.transition
    if known is None or _direction(group, known.event) != _direction(group, event):
        transition = Transition(event, context.now.mono)
    elif known.count < persistence_of(group, context.rule(group.trigger)).times:
        transition = replace(known, event=event, count=known.count + 1)
    elif known.event.line != event.line or known.event.severity != event.severity:
        transition = replace(known, event=event)
    else:
        return
    confirm(context, key, replace(group, transition=transition))


def _direction(group: Group, event: Event) -> tuple[AlertState, bool]:
    """Return what distinguishes kinds of change. A rise waits for `for`, others `clear`."""
    return event.alert_state, is_rise(group, event)


def _update_event(
    context: StepContext, key: str, group: Group, condition: Condition, event: Event
) -> None:
    """Let reminders show what a condition that is still firing says now."""
    is_same = (event.line, event.facts) == (condition.event.line, condition.event.facts)
    # A digest of a mute names the condition by its first line.
    if is_same or condition.mute_digest_id or event.severity != condition.event.severity:
        return
    event = clip_event(event._replace(wall=condition.event.wall))
    context.put_group(key, replace(group, condition=replace(condition, event=event)))


def confirm(context: StepContext, key: str, group: Group) -> None:
    """Begin or end a group's condition if its transition is confirmed by now."""
    transition, rule = group.transition, context.rule(group.trigger)
    if transition is None:
        return
    event = transition.event
    persistence = persistence_of(group, rule)
    if not transition.is_confirmed(persistence, context.now.mono):
        context.put_group(key, group)
        _trace_unconfirmed(context, group, transition, persistence)
        return
    group = replace(group, transition=None)
    condition = group.condition
    if condition is None:
        add_to_group(context, key, replace(group, condition=Condition(event)), [event])
    elif is_rise(group, event):
        condition = replace(condition, event=event)
        add_to_group(context, key, replace(group, condition=condition), [event])
    elif event.alert_state is AlertState.FIRING:
        group = replace(group, condition=replace(condition, event=event))
        _report_improvement(context, key, group, condition, event)
    else:
        _report_improvement(context, key, replace(group, condition=None), condition, event)


def _trace_unconfirmed(
    context: StepContext, group: Group, transition: Transition, persistence: Persistence
) -> None:
    until, detail = 0.0, ""
    if transition.count < persistence.times:
        detail = f"{transition.count} of {persistence.times} in a row"
    else:
        until = context.to_wall(transition.since + persistence.seconds)
    line = transition.event.line
    context.trace(
        group.trigger,
        Action.CONFIRMING,
        0,
        line=line,
        group=group.values,
        until=until,
        detail=detail,
    )


def restart_waits(context: StepContext) -> None:
    """Let `for` and `clear` begin their wait again: what they wait for could not arrive."""
    for key, group in context.groups():
        if group.transition is not None:
            context.put_group(key, restarted_wait(group, context.now))


def _report_improvement(
    context: StepContext, key: str, group: Group, condition: Condition, event: Event
) -> None:
    """Report at once that a condition ended, or has a lower severity than before.

    group: as it is after that. condition: as it was.
    """
    trigger = group.trigger
    rule = context.rule(trigger)
    context.put_group(key, group)
    if event.facts.get("event") == ENDED_QUIETLY:
        context.trace(trigger, Action.NOT_REPORTED, 0, line=event.line, group=group.values)
        return
    pending = mute_digest(context, trigger)
    if pending is not None and pending.id == condition.mute_digest_id:
        if group.condition is None:
            retract_match(context, trigger, condition.event.line)
            context.add_stats(
                trigger, matches=1, ended_while_muted=2, reason="came and went while muted"
            )
            context.trace(trigger, Action.ENDED_WHILE_MUTED, 2, line=event.line, group=group.values)
        return
    if not rule.resolve:
        return
    if group.summary is not None and group.summary.condition_report is ConditionReport.FIRING:
        add_to_group(context, key, group, [event])  # one notification reports both
        return
    context.add_stats(trigger, matches=1)
    summary = summarize_one(event)
    if join_open_notification(context, key, group, summary):
        return
    notification = new_group_notification(context, key, group, summary)
    if hold_back(context, notification, summary) is None:
        set_open_notification(context, key, group, admit(context, notification, summary), summary)


def remind(context: StepContext, key: str, group: Group) -> None:
    """Send a reminder of a condition that is due for one.

    None is sent while an earlier notification of the condition waits, under a mute, or over the
    budget; the next reminder comes at its own time.
    """
    condition, rule = group.condition, context.rule(group.trigger)
    if condition is None or condition.remind_at > context.now.mono:
        return
    number = condition.reminders + 1
    pause = rule.repeat[min(number, len(rule.repeat) - 1)] if rule.repeat else NEVER
    condition = replace(condition, remind_at=context.now.mono + pause, reminders=number)
    summary = _reminder(condition)
    reminder = new_group_notification(context, "", group, summary)
    line = condition.event.line
    if (
        not rule.repeat
        or _has_unsent_report(context, group, condition)
        or (rule.priority is not Priority.URGENT and muted_until(context, group.trigger))
        or not charge_budget(context, reminder)
    ):
        context.trace(group.trigger, Action.NOT_REPORTED, 0, line=line)
    else:
        condition = replace(condition, reminder_id=reminder.id)
        context.put_notification(reminder, summary)
        context.add_stats(group.trigger, sent=1)
        context.trace(group.trigger, Action.REMINDED, 0, line=line, notification_id=reminder.id)
    context.put_group(key, replace(group, condition=condition))


def _has_unsent_report(context: StepContext, group: Group, condition: Condition) -> bool:
    waiting = context.notification(group.open_id) or context.notification(condition.reminder_id)
    return group.summary is not None or waiting is not None


def _reminder(condition: Condition) -> MatchSummary:
    return replace(
        summarize_one(condition.event),
        count=0,
        condition_report=ConditionReport.STILL_FIRING,
        reminder=condition.reminders,
    )


def apply_rules(context: StepContext) -> None:
    """Adjust conditions to the rules of a start or a reload, and put reminders off for a while."""
    for key, group in context.groups():
        condition = group.condition
        rule = context.rule(group.trigger)
        if not rule.has_conditions:
            if condition is not None or group.transition is not None:
                context.put_group(key, replace(group, condition=None, transition=None))
        elif condition is None:
            continue
        elif not rule.repeat:
            context.put_group(key, replace(group, condition=replace(condition, remind_at=NEVER)))
        elif condition.remind_at < context.now.mono + _GRACE:
            condition = replace(condition, remind_at=context.now.mono + _GRACE)
            context.put_group(key, replace(group, condition=condition))
