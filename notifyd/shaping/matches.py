"""What a match does to its group, and what becomes of a group that fired."""

from collections.abc import Sequence
from dataclasses import replace

from notifyd.model.events import AlertState, Event, Now
from notifyd.model.notifications import ConditionReport, MatchSummary, Notification, Status
from notifyd.shaping.admission import admit, new_row
from notifyd.shaping.codec import group_key
from notifyd.shaping.group import NEVER, Group, added, emitted, is_due, room
from notifyd.shaping.mutes import hold_back
from notifyd.shaping.rules import Rule
from notifyd.shaping.step_context import StepContext
from notifyd.shaping.summaries import joined
from notifyd.shaping.trace import Action

OTHERS = "(others)"
"""The group that takes the matches for which there is no room for a group of their own."""


def find(draft: StepContext, trigger: str, values: tuple[str, ...]) -> tuple[str, Group]:
    """Find the group that matches belong to, or begin it."""
    rule = draft.rule(trigger)
    key = group_key(trigger, values)
    group = draft.group(key)
    if group is None and draft.group_count(trigger) >= rule.max_groups:
        values = (OTHERS,) * len(values)
        key = group_key(trigger, values)
        group = draft.group(key)
    return key, group or Group(trigger, values, rule.identity)


def count(
    draft: StepContext, trigger: str, values: tuple[str, ...], events: Sequence[Event]
) -> None:
    """Count matches of one group that came at once, and tell what fires with each of them.

    Those after which the group only waits are counted together: of a burst that is nearly all.
    """
    rule = draft.rule(trigger)
    while events:
        key, group = find(draft, trigger, values)
        most = room(group, draft.now, rule)
        add(draft, key, group, events[:most])
        events = events[most:] if most else ()


def add(draft: StepContext, key: str, group: Group, events: Sequence[Event]) -> None:
    """Add to a group as many matches as it has room for at once, and tell it if it is ripe."""
    rule = draft.rule(group.trigger)
    group, below = added(group, events, draft.now, rule)
    draft.put_group(key, group)
    if below:
        draft.trace(group.trigger, Action.LAPSED, below, group=group.values)
    if is_due(group, draft.now):
        draft.add_stats(group.trigger, matches=len(events), below=below)
        emit(draft, key, group)
        return
    reason = _wait(draft, group, rule, len(events), events[-1].line)
    draft.add_stats(group.trigger, matches=len(events), below=below, reason=reason)


def _wait(draft: StepContext, group: Group, rule: Rule, number: int, line: str) -> str:
    """Write down what matches wait for; returns it in words."""
    if group.tally is None:
        have = f"{len(group.window)} of {rule.threshold} within {rule.window:g} s"
        draft.trace(group.trigger, Action.BELOW, number, line=line, group=group.values, detail=have)
        return "below the threshold so far"
    cooling = draft.now.mono < group.cooling
    did = Action.COOLING if cooling else Action.WAITING
    until = draft.wall(group.due)
    draft.trace(group.trigger, did, number, line=line, group=group.values, until=until)
    return "cooling down: told when that ends" if cooling else "waiting for the matches to pause"


def emit(draft: StepContext, key: str, group: Group) -> None:
    """Make a notification of what fired, or let it join the one that nobody has tried yet."""
    if group.tally is not None and not join(draft, key, group, group.tally):
        _begin(draft, key, group, group.tally)


def join(draft: StepContext, key: str, group: Group, tally: MatchSummary) -> bool:
    """Add to the group's notification, if nobody has tried it yet; tells whether that was so."""
    row = draft.notification(group.open) if group.open else None
    if row is None or row.was_attempted:
        return False
    whole = joined(group.told, tally)
    draft.put_notification(replace(row, count=whole.count), whole)
    if tally is group.tally:
        group = emitted(group, draft.now, draft.rule(group.trigger))
    draft.put_group(key, replace(group, told=whole))
    draft.add_stats(group.trigger)
    draft.trace(
        group.trigger,
        Action.JOINED,
        tally.count,
        line=tally.event.line,
        group=group.values,
        known=row.id,
    )
    return True


def _begin(draft: StepContext, key: str, group: Group, tally: MatchSummary) -> None:
    rule = draft.rule(group.trigger)
    row = row_of(draft, key, group, tally)
    group = _armed(group, rule, draft.now)
    if muted := hold_back(draft, row, tally):
        alarm = group.alarm
        if alarm and tally.condition_report is ConditionReport.FIRING:
            alarm = replace(alarm, hold=muted.merged_into)
        # no cooldown: it begins with what enters the outbox, and what comes after the mute is news
        draft.put_group(key, replace(group, tally=None, open="", told=None, alarm=alarm))
        return
    opened(draft, key, emitted(group, draft.now, rule), admit(draft, row, tally), tally)


def row_of(draft: StepContext, key: str, group: Group, tally: MatchSummary) -> Notification:
    rule = draft.rule(group.trigger)
    return new_row(draft, group.trigger, rule.priority, tally.count, group=key)


def opened(
    draft: StepContext, key: str, group: Group, row: Notification, tally: MatchSummary
) -> None:
    """Let later matches join a row that was admitted, if its trigger's are told together."""
    alone = (
        draft.rule(group.trigger).every_match_alone and tally.event.alert_state is AlertState.NONE
    )
    if row.status is Status.QUEUED and not alone:
        draft.put_group(key, replace(group, open=row.id, told=tally))
    else:
        draft.put_group(key, replace(group, open="", told=None))


def _armed(group: Group, rule: Rule, now: Now) -> Group:
    """Set the time of the first reminder of a condition that is being told."""
    alarm = group.alarm
    if alarm is None or alarm.due < NEVER or not rule.repeat:
        return group
    return replace(group, alarm=replace(alarm, due=now.mono + rule.repeat[0]))
