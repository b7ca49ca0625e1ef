"""step(state, events, now): the one function that decides. The driver commits what it returns."""

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from notifyd.model.events import AlertState, Event, Match, Now
from notifyd.model.notifications import Status
from notifyd.shaping import conditions, matches, mutes
from notifyd.shaping.admission import add_to_digest, expire, merge_storm, queue_due_digest
from notifyd.shaping.group import Group, is_due, is_idle, window_ends_at
from notifyd.shaping.incidents import prune_incidents, report_incidents
from notifyd.shaping.inputs import (
    Cancelled,
    Configured,
    IncidentOccurred,
    Input,
    Muted,
    Retried,
    SendingAllowed,
    Settled,
    Submitted,
    WorkerStarted,
)
from notifyd.shaping.requests import cancel, release_held, submit
from notifyd.shaping.retries import retry
from notifyd.shaping.rules import Rules
from notifyd.shaping.send_state import SendStatus
from notifyd.shaping.sending import dispatch, recover, resume_sending, settle
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
    context = StepContext(state, now)
    _prepare(context, events)
    if state.has_clock_jumped(now):
        mutes.update_mute_ends(context)
    if state.is_due(now):
        _run_timers(context)
    batch = _MatchBatch(context)
    for index, event in enumerate(events):
        if isinstance(event, Match) and batch.add(event):
            continue
        batch.flush()
        if reply := _apply(context, event):
            context.decision.replies[index] = reply
    batch.flush()
    report_incidents(context)
    merge_storm(context)
    dispatch(context)
    return context.decision


def _apply(context: StepContext, event: Input) -> Reply | None:
    """Take in one event; returns its answer, if somebody waits for one."""
    match event:
        case Match():
            _count_match(context, event)
        case Submitted():
            return submit(context, event)
        case Cancelled():
            return cancel(context, event)
        case Retried():
            return retry(context, event)
        case Muted():
            mutes.set_mute(context, event)
        case Settled():
            settle(context, event.outcome)
        case WorkerStarted():
            recover(context)
        case SendingAllowed():
            resume_sending(context)
        case Configured() | IncidentOccurred():
            pass  # `_prepare` took them in
        case _:
            assert_never(event)
    return None


class _MatchBatch:
    """Matches that came one after the other, gathered by group: the time is the same for all."""

    def __init__(self, context: StepContext) -> None:
        self._draft = context
        self._events: dict[tuple[str, tuple[str, ...]], list[Event]] = {}

    def add(self, match: Match) -> bool:
        """Gather a match, unless what it makes could depend on the order between groups."""
        event = match.event
        if (
            event.alert_state is not AlertState.NONE
            or self._draft.rule(event.trigger).notifies_each_match
        ):
            return False
        self._events.setdefault((event.trigger, match.group), []).append(event)
        return True

    def flush(self) -> None:
        """Count what was gathered, the group that came first before the others."""
        for (trigger, values), events in self._events.items():
            matches.count_matches(self._draft, trigger, values, events)
        self._events.clear()


def _count_match(context: StepContext, match: Match) -> None:
    event = match.event
    if event.alert_state is AlertState.NONE:
        matches.count_matches(context, event.trigger, match.group, [event])
    else:
        conditions.update_condition(
            context, *matches.find_group(context, event.trigger, match.group), match
        )


def _run_timers(context: StepContext) -> None:
    """Do what time alone brings: tell, place, release, expire, forget."""
    now = context.now
    if context.decision.prune_at <= now.mono:
        context.decision.prune_at = now.mono + PRUNE_EVERY
        context.decision.forget_before = now.wall - context.rules.history
        prune_incidents(context, context.decision.forget_before)
        forbidden = context.send_state.last_forbidden
        if forbidden and forbidden.created < context.decision.forget_before:
            context.send_state = replace(
                context.send_state, last_forbidden=None
            )  # its row is no longer there
    mutes.release_unmuted(context)
    for key, pending in context.digests():
        if not mutes.is_mute_digest(key):
            queue_due_digest(context, key, pending)
    for key, group in context.groups():
        _run_group_timers(context, key, group)
    refused = context.send_state.status is SendStatus.REFUSED
    for notification in list(context.notifications()):
        if notification.status is Status.HELD and notification.not_before <= now.mono:
            release_held(context, notification)
        elif (
            notification.status is Status.QUEUED
            and notification.expires <= now.wall
            and not refused
        ):
            expire(context, notification)


def _run_group_timers(context: StepContext, key: str, group: Group) -> None:
    now, rule = context.now, context.rule(group.trigger)
    if is_due(group, now):
        matches.emit(context, key, group)
    elif window_ends_at(group, rule) <= now.mono:
        below = len(group.window)
        context.add_stats(group.trigger, below=below, reason="below the threshold")
        context.trace(group.trigger, Action.LAPSED, below, group=group.values)
        context.put_group(key, replace(group, window=(), window_events=()))
    if left := context.group(key):
        conditions.remind(context, key, left)
    if (left := context.group(key)) and is_idle(left, now, rule):
        context.put_group(key, None)


def _prepare(context: StepContext, events: Sequence[Input]) -> None:
    """Take in what comes before all else: nothing may be told by rules that are gone."""
    for event in events:
        if isinstance(event, Configured):
            _configure(context, event.rules)
            context.drop_orphaned_keys()
        elif isinstance(event, IncidentOccurred):
            context.put_incident(event.incident)


def _configure(context: StepContext, rules: Rules) -> None:
    """Take new rules; what was pending under a trigger that is gone or changed is told."""
    context.decision.rules = rules
    for key, group in context.groups():
        rule = rules.triggers.get(group.trigger)
        if rule is not None and rule.identity == group.identity:
            continue
        if group.window:
            context.add_stats(
                group.trigger, below=len(group.window), reason="the trigger was changed"
            )
        if group.summary is not None:
            add_to_digest(
                context,
                "removed",
                "removed",
                {group.trigger: group.summary.count},
                group.summary.lines,
                due=context.now.mono,
            )
        context.put_group(key, None)
    conditions.apply_rules(context)
    mutes.update_mute_ends(context)
