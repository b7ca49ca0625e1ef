"""step(state, events, now): the one function that decides. The driver commits what it returns."""

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from notifyd.model.events import AlertState, Event, Match, Now
from notifyd.model.notifications import Status
from notifyd.shaping import conditions, matches, mutes
from notifyd.shaping.admission import add_to_digest, expire, merge_storm, place_due
from notifyd.shaping.group import Group, idle, is_due, window_ends_at
from notifyd.shaping.incidents import announce, forget_old
from notifyd.shaping.inputs import (
    Cancelled,
    Configured,
    Happened,
    Input,
    Muted,
    Retried,
    SendingAllowed,
    Settled,
    Submitted,
    WorkerStarted,
)
from notifyd.shaping.requests import cancel, release, submit
from notifyd.shaping.retries import retry
from notifyd.shaping.rules import Rules
from notifyd.shaping.send_state import SendStatus
from notifyd.shaping.sending import allow, dispatch, recover, settle
from notifyd.shaping.state import Decision, Reply, State
from notifyd.shaping.step_context import StepContext
from notifyd.shaping.trace import Action

PRUNE_EVERY = 3600.0
"""Seconds between two looks at old history and at timers that a clock step has moved."""


def step(state: State, events: Sequence[Input], now: Now) -> Decision:
    """Fold events into the state; the state is left as it is.

    New rules come first, then what is due by `now`, then the events in their order. The next
    deadline is the state's own, once it has adopted the decision.
    """
    draft = StepContext(state, now)
    _prepare(draft, events)
    if state.has_clock_jumped(now):
        mutes.retime(draft)
    if state.is_due(now):
        _run_timers(draft)
    crowd = _MatchBatch(draft)
    for index, event in enumerate(events):
        if isinstance(event, Match) and crowd.joined_by(event):
            continue
        crowd.count()
        if reply := _take(draft, event):
            draft.decision.replies[index] = reply
    crowd.count()
    announce(draft)
    merge_storm(draft)
    dispatch(draft)
    return draft.decision


def _take(draft: StepContext, event: Input) -> Reply | None:
    """Take in one event; returns its answer, if somebody waits for one."""
    match event:
        case Match():
            _count(draft, event)
        case Submitted():
            return submit(draft, event)
        case Cancelled():
            return cancel(draft, event)
        case Retried():
            return retry(draft, event)
        case Muted():
            mutes.set_mute(draft, event)
        case Settled():
            settle(draft, event.outcome)
        case WorkerStarted():
            recover(draft)
        case SendingAllowed():
            allow(draft)
        case Configured() | Happened():
            pass  # `_prepare` took them in
        case _:
            assert_never(event)
    return None


class _MatchBatch:
    """Matches that came one after the other, gathered by group: the time is the same for all."""

    def __init__(self, draft: StepContext) -> None:
        self._draft = draft
        self._events: dict[tuple[str, tuple[str, ...]], list[Event]] = {}

    def joined_by(self, match: Match) -> bool:
        """Gather a match, unless what it makes could depend on the order between groups."""
        event = match.event
        if (
            event.alert_state is not AlertState.NONE
            or self._draft.rule(event.trigger).every_match_alone
        ):
            return False
        self._events.setdefault((event.trigger, match.group), []).append(event)
        return True

    def count(self) -> None:
        """Count what was gathered, the group that came first before the others."""
        for (trigger, values), events in self._events.items():
            matches.count(self._draft, trigger, values, events)
        self._events.clear()


def _count(draft: StepContext, match: Match) -> None:
    event = match.event
    if event.alert_state is AlertState.NONE:
        matches.count(draft, event.trigger, match.group, [event])
    else:
        conditions.change(draft, *matches.find(draft, event.trigger, match.group), match)


def _run_timers(draft: StepContext) -> None:
    """Do what time alone brings: tell, place, release, expire, forget."""
    now = draft.now
    if draft.decision.prune_at <= now.mono:
        draft.decision.prune_at = now.mono + PRUNE_EVERY
        draft.decision.forget_before = now.wall - draft.rules.history
        forget_old(draft, draft.decision.forget_before)
        forbidden = draft.send_state.last_forbidden
        if forbidden and forbidden.created < draft.decision.forget_before:
            draft.send_state = replace(
                draft.send_state, last_forbidden=None
            )  # its row is no longer there
    mutes.release(draft)
    for key, held in draft.digests():
        if not mutes.is_hold(key):
            place_due(draft, key, held)
    for key, group in draft.groups():
        _tend_group(draft, key, group)
    refused = draft.send_state.status is SendStatus.REFUSED
    for row in list(draft.notifications()):
        if row.status is Status.HELD and row.not_before <= now.mono:
            release(draft, row)
        elif row.status is Status.QUEUED and row.expires <= now.wall and not refused:
            expire(draft, row)


def _tend_group(draft: StepContext, key: str, group: Group) -> None:
    now, rule = draft.now, draft.rule(group.trigger)
    if is_due(group, now):
        matches.emit(draft, key, group)
    elif window_ends_at(group, rule) <= now.mono:
        below = len(group.window)
        draft.add_stats(group.trigger, below=below, reason="below the threshold")
        draft.trace(group.trigger, Action.LAPSED, below, group=group.values)
        draft.put_group(key, replace(group, window=(), recent=()))
    if left := draft.group(key):
        conditions.remind(draft, key, left)
    if (left := draft.group(key)) and idle(left, now, rule):
        draft.put_group(key, None)


def _prepare(draft: StepContext, events: Sequence[Input]) -> None:
    """Take in what comes before all else: nothing may be told by rules that are gone."""
    for event in events:
        if isinstance(event, Configured):
            _configure(draft, event.rules)
            draft.drop_orphaned_keys()
        elif isinstance(event, Happened):
            draft.put_incident(event.incident)


def _configure(draft: StepContext, rules: Rules) -> None:
    """Take new rules; what was pending under a trigger that is gone or changed is told."""
    draft.decision.rules = rules
    for key, group in draft.groups():
        rule = rules.triggers.get(group.trigger)
        if rule is not None and rule.identity == group.identity:
            continue
        if group.window:
            draft.add_stats(
                group.trigger, below=len(group.window), reason="the trigger was changed"
            )
        if group.tally is not None:
            add_to_digest(
                draft,
                "removed",
                "removed",
                {group.trigger: group.tally.count},
                group.tally.lines,
                due=draft.now.mono,
            )
        draft.put_group(key, None)
    conditions.settle_in(draft)
    mutes.retime(draft)
