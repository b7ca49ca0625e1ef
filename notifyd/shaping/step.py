"""step(state, events, now): the one function that decides. The driver commits what it returns."""

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from notifyd.model import Match, Now, Status
from notifyd.shaping.admission import (
    admit,
    calm_storm,
    count_into,
    expire,
    new_row,
    place_due,
    release,
)
from notifyd.shaping.codec import group_key
from notifyd.shaping.draft import Draft
from notifyd.shaping.gate import Sending
from notifyd.shaping.group import Group, added, deadline, emitted, idle, ripe
from notifyd.shaping.incidents import announce, forget_old
from notifyd.shaping.inputs import (
    Cancelled,
    Configured,
    Happened,
    Input,
    SendingAllowed,
    Settled,
    Submitted,
    WorkerStarted,
)
from notifyd.shaping.requests import cancel, submit
from notifyd.shaping.rules import Rules
from notifyd.shaping.sending import allow, dispatch, recover, settle
from notifyd.shaping.state import Decision, State
from notifyd.shaping.tally import joined

PRUNE_EVERY = 3600.0
"""Seconds between two looks at old history and at timers that a clock step has moved."""

OTHERS = "(others)"
"""The group that takes the matches for which there is no room for a group of their own."""


def step(state: State, events: Sequence[Input], now: Now) -> Decision:
    """Fold events into the state; the state is left as it is.

    New rules come first, then what is due by `now`, then the events in their order. The next
    deadline is the state's own, once it has adopted the decision.
    """
    draft = Draft(state, now)
    _prepare(draft, events)
    if state.due(now):
        _tend(draft)
    for index, event in enumerate(events):
        match event:
            case Match():
                _count(draft, event)
            case Submitted():
                draft.decision.replies[index] = submit(draft, event)
            case Settled():
                settle(draft, event.outcome)
            case Cancelled():
                draft.decision.replies[index] = cancel(draft, event)
            case WorkerStarted():
                recover(draft)
            case SendingAllowed():
                allow(draft)
            case Configured() | Happened():
                pass  # done above: nothing may be told by rules that are gone
            case _:
                assert_never(event)
    announce(draft)
    calm_storm(draft)
    dispatch(draft)
    return draft.decision


def _count(draft: Draft, match: Match) -> None:
    trigger = match.event.trigger
    rule = draft.rule(trigger)
    values = match.group
    key = group_key(trigger, values)
    group = draft.group(key)
    if group is None and draft.group_count(trigger) >= rule.max_groups:
        values = (OTHERS,) * len(values)
        key = group_key(trigger, values)
        group = draft.group(key)
    group, below = added(
        group or Group(trigger, values, rule.identity), match.event, draft.now, rule
    )
    draft.put_group(key, group)
    draft.note(trigger, matches=1, below=below, reason=_reason(group, draft.now))
    if ripe(group, draft.now):
        _tell(draft, key, group)


def _reason(group: Group, now: Now) -> str:
    if group.tally is None:
        return "below the threshold so far"
    if now.mono < group.cooling:
        return "cooling down: told when that ends"
    return "waiting for the matches to pause"


def _tell(draft: Draft, key: str, group: Group) -> None:
    """Make a notification of what fired, or let it join the one that nobody has tried yet."""
    rule = draft.rule(group.trigger)
    tally = group.tally
    if tally is None:
        return
    after = emitted(group, draft.now, rule)
    row = draft.row(group.open) if group.open else None
    if row is not None and not row.tried:
        whole = joined(group.told, tally)
        draft.put_row(replace(row, count=whole.count), whole)
        draft.put_group(key, replace(after, told=whole))
        draft.note(group.trigger)
        return
    row = new_row(draft, group.trigger, rule.priority, tally.count, group=key)
    admitted = admit(draft, row, tally)
    joinable = admitted.status is Status.QUEUED and not rule.every_match_alone
    if joinable:
        draft.put_group(key, replace(after, open=row.id, told=tally))
    else:
        draft.put_group(key, replace(after, open="", told=None))


def _tend(draft: Draft) -> None:
    """Do what time alone brings: tell, place, release, expire, forget."""
    now = draft.now
    if draft.decision.prune_at <= now.mono:
        draft.decision.prune_at = now.mono + PRUNE_EVERY
        draft.decision.forget = now.wall - draft.rules.history
        forget_old(draft, draft.decision.forget)
        forbidden = draft.gate.forbidden
        if forbidden and forbidden.created < draft.decision.forget:
            draft.gate = replace(draft.gate, forbidden=None)  # its row is no longer there
    for key, held in draft.digests():
        place_due(draft, key, held)
    for key, group in draft.groups():
        rule = draft.rule(group.trigger)
        if ripe(group, now):
            _tell(draft, key, group)
        elif group.window and deadline(group, rule) <= now.mono:
            draft.note(group.trigger, below=len(group.window), reason="below the threshold")
            draft.put_group(key, replace(group, window=(), recent=()))
        if (left := draft.group(key)) and not left.open and idle(left, now, rule):
            draft.put_group(key, None)
    refused = draft.gate.sending is Sending.REFUSED
    for row in list(draft.rows()):
        if row.status is Status.HELD and row.release <= now.mono:
            release(draft, row)
        elif row.status is Status.QUEUED and row.expires <= now.wall and not refused:
            expire(draft, row)


def _prepare(draft: Draft, events: Sequence[Input]) -> None:
    for event in events:
        if isinstance(event, Configured):
            _configure(draft, event.rules)
            draft.drop_strays()
        elif isinstance(event, Happened):
            draft.put_incident(event.incident)


def _configure(draft: Draft, rules: Rules) -> None:
    """Take new rules; what was pending under a trigger that is gone or changed is told."""
    draft.decision.rules = rules
    for key, group in draft.groups():
        rule = rules.triggers.get(group.trigger)
        if rule is not None and rule.identity == group.identity:
            continue
        if group.window:
            draft.note(group.trigger, below=len(group.window), reason="the trigger was changed")
        if group.tally is not None:
            count_into(
                draft,
                "removed",
                "removed",
                {group.trigger: group.tally.count},
                group.tally.lines,
                due=draft.now.mono,
            )
        draft.put_group(key, None)
