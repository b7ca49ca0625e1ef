"""Conditions that last: told when they begin, again while they last, and when they end."""

from dataclasses import replace

from notifyd.model.events import AlertState, Match
from notifyd.model.notifications import ConditionReport, MatchSummary, Priority
from notifyd.shaping.admission import admit, affordable
from notifyd.shaping.group import NEVER, Alarm, Group
from notifyd.shaping.matches import add, join, opened, row_of
from notifyd.shaping.mutes import held_back, hold_back, muted_until, take_back
from notifyd.shaping.step_context import StepContext
from notifyd.shaping.summaries import single
from notifyd.shaping.trace import Action

_GRACE = 60.0
"""Seconds after a start for the news to come that a condition ended meanwhile."""


def change(draft: StepContext, key: str, group: Group, match: Match) -> None:
    """Take in that a condition begins or ends; one that is known already changes nothing."""
    if match.event.alert_state is AlertState.FIRING:
        if group.alarm is None:
            add(draft, key, replace(group, alarm=Alarm(match.event)), [match.event])
    elif group.alarm is not None:
        _end(draft, key, replace(group, alarm=None), group.alarm, match)


def _end(draft: StepContext, key: str, group: Group, alarm: Alarm, match: Match) -> None:
    event, trigger = match.event, group.trigger
    rule = draft.rule(trigger)
    draft.put_group(key, group)
    held = held_back(draft, trigger)
    if held is not None and held.id == alarm.hold:
        take_back(draft, trigger, alarm.event.line)
        draft.add_stats(trigger, matches=1, quiet=2, reason="came and went while muted")
        draft.trace(trigger, Action.QUIET, 2, line=event.line, group=group.values)
        return
    if not rule.resolve:
        return
    if group.tally is not None and group.tally.condition_report is ConditionReport.FIRING:
        add(draft, key, group, [event])  # the alarm is still to be told: both become one
        return
    draft.add_stats(trigger, matches=1)
    tally = single(event)
    if join(draft, key, group, tally):
        return
    row = row_of(draft, key, group, tally)
    if hold_back(draft, row, tally) is None:
        opened(draft, key, group, admit(draft, row, tally), tally)


def remind(draft: StepContext, key: str, group: Group) -> None:
    """Tell once more of a condition that lasts, unless its first notification still waits."""
    alarm, rule = group.alarm, draft.rule(group.trigger)
    if alarm is None or alarm.due > draft.now.mono:
        return
    number = alarm.reminders + 1
    step = rule.repeat[min(number, len(rule.repeat) - 1)] if rule.repeat else NEVER
    unheard = (
        group.tally is not None or draft.notification(group.open) or draft.notification(alarm.row)
    )
    muted = rule.priority is not Priority.URGENT and muted_until(draft, group.trigger)
    alarm = replace(alarm, due=draft.now.mono + step, reminders=number)
    tally = _reminder(alarm)
    row = row_of(draft, "", group, tally)
    if unheard or muted or not rule.repeat or not affordable(draft, row):
        draft.trace(group.trigger, Action.UNTOLD, 0, line=alarm.event.line)
    else:
        alarm = replace(alarm, row=row.id)
        draft.put_notification(row, tally)
        draft.add_stats(group.trigger, sent=1)
        draft.trace(group.trigger, Action.REMINDED, 0, line=alarm.event.line, known=row.id)
    draft.put_group(key, replace(group, alarm=alarm))


def _reminder(alarm: Alarm) -> MatchSummary:
    return replace(
        single(alarm.event),
        count=0,
        condition_report=ConditionReport.STILL_FIRING,
        reminder=alarm.reminders,
    )


def settle_in(draft: StepContext) -> None:
    """After a start or a reload: forget what no trigger tells any more, and remind not at once."""
    for key, group in draft.groups():
        if group.alarm is None:
            continue
        rule = draft.rule(group.trigger)
        if not rule.lasting:
            draft.put_group(key, replace(group, alarm=None))
        elif not rule.repeat:
            draft.put_group(key, replace(group, alarm=replace(group.alarm, due=NEVER)))
        elif group.alarm.due < draft.now.mono + _GRACE:
            alarm = replace(group.alarm, due=draft.now.mono + _GRACE)
            draft.put_group(key, replace(group, alarm=alarm))
