"""step(state, events, now): the one function that decides. The engine commits what it returns."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import assert_never

from notifyd.model.events import AlertState, Event, Match, Now
from notifyd.model.notifications import Message, Priority, Status
from notifyd.shaping import conditions, heartbeats, matches, mutes, spool, webhooks
from notifyd.shaping.admission import (
    add_to_digest,
    admit,
    expire,
    merge_storm,
    new_notification,
    queue_due_digest,
)
from notifyd.shaping.agents import sessions as agent_sessions
from notifyd.shaping.agents.questions import check_deadlines
from notifyd.shaping.group import (
    Group,
    confirmed_at,
    is_due,
    is_idle,
    shorten_cooldown,
    window_ends_at,
)
from notifyd.shaping.inputs import (
    AgentEventsRefused,
    AgentReported,
    Booted,
    Cancelled,
    Configured,
    IncidentOccurred,
    Input,
    Muted,
    Pinged,
    PingsRefused,
    Retried,
    SendingAllowed,
    Settled,
    Spooled,
    SpoolFilesRemoved,
    Stalled,
    Submitted,
    WebhookReceived,
    WorkerStarted,
)
from notifyd.shaping.requests import cancel, release_held, submit
from notifyd.shaping.retries import retry
from notifyd.shaping.rules import Rules
from notifyd.shaping.send_state import SendStatus
from notifyd.shaping.sending import (
    dispatch,
    extend_expiry,
    recover,
    resume_after_gap,
    resume_sending,
    settle,
)
from notifyd.shaping.state import Decision, Reply, State
from notifyd.shaping.step_context import StepContext
from notifyd.shaping.trace import Action

PRUNE_EVERY = 3600.0
"""Seconds between prunings of old history; all timers are rebuilt then too."""
_OWN_TRIGGER = "notifyd"
"""The trigger of notifications about notifyd itself."""


def step(state: State, events: Sequence[Input], now: Now) -> Decision:
    """Fold events into the state, which stays as it is, and return the changes.

    New rules come first, then whatever is due by `now`, then the events in their order. Deadlines
    of heartbeats and questions come last: a ping or an answer that arrives with its deadline is in
    time.
    """
    context = StepContext(state, now)
    _prepare(context, events)
    if state.has_clock_jumped(now):
        mutes.update_mute_ends(context)
        heartbeats.follow_clock(context)
    if state.has_gap(now):
        _restart_waits(context)
        resume_after_gap(context)
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
    for alarm in heartbeats.check_deadlines(context) if state.is_due(now) else ():
        _count_match(context, Match((), alarm))
    if state.is_due(now):
        check_deadlines(context)
    _report_incidents(context)
    merge_storm(context)
    dispatch(context)
    return context.finish()


def _prepare(context: StepContext, events: Sequence[Input]) -> None:
    """Apply first what decides about the rest: nothing is reported by outdated rules or waits."""
    for event in events:
        if isinstance(event, Match):
            continue  # nearly all of a burst
        if isinstance(event, Configured):
            _configure(context, event.rules)
            context.drop_orphaned_keys()
        elif isinstance(event, Booted):
            extend_expiry(context, event.off_for)
            agent_sessions.end_local(context)
        elif isinstance(event, IncidentOccurred):
            context.put_incident(event.incident)
        elif isinstance(event, PingsRefused):
            heartbeats.restart_waits(context, event.heartbeats)
        elif isinstance(event, AgentEventsRefused):
            agent_sessions.restart_waits(context)
        elif isinstance(event, SpoolFilesRemoved):
            spool.forget(context, event)
        elif isinstance(event, Stalled):
            _restart_waits(context)


def _restart_waits(context: StepContext) -> None:
    """Restart all waits for input, because none could arrive."""
    conditions.restart_waits(context)
    heartbeats.restart_waits(context)
    agent_sessions.restart_waits(context)


def _configure(context: StepContext, rules: Rules) -> None:
    """Apply new rules. Pending matches of removed and changed triggers go into a digest."""
    context.decision.rules = rules
    for key, group in context.groups():
        rule = rules.triggers.get(group.trigger)
        if rule is None or rule.identity != group.identity:
            _close_out(context, group)
            context.put_group(key, None)
        elif (shortened := shorten_cooldown(group, rule)) is not group:
            context.put_group(key, shortened)
    conditions.apply_rules(context)
    heartbeats.apply_rules(context)
    agent_sessions.apply_rules(context)
    mutes.update_mute_ends(context)


def _close_out(context: StepContext, group: Group) -> None:
    if group.window:
        below = len(group.window)
        context.add_stats(group.trigger, below=below, reason="the trigger was changed")
    if group.summary is not None:
        counts = {group.trigger: group.summary.count}
        lines = group.summary.lines
        add_to_digest(context, "removed", "removed", counts, lines, due=context.now.mono)


def _run_timers(context: StepContext) -> None:
    """Do what is due: prune, release, queue, report, expire."""
    now = context.now
    if context.decision.prune_at <= now.mono:
        _prune(context)
    mutes.release_unmuted(context)
    mutes.put_off_digests(context)
    for key, pending in context.digests():
        if not mutes.is_mute_digest(key):
            queue_due_digest(context, key, pending)
    for key, group in context.groups():
        _run_group_timers(context, key, group)
    may_expire = context.send_state.status is not SendStatus.REFUSED
    for notification in list(context.notifications()):
        status = notification.status
        if status is Status.HELD and notification.not_before <= now.mono:
            release_held(context, notification)
        elif status is Status.QUEUED and may_expire and context.has_expired(notification):
            expire(context, notification)


def _prune(context: StepContext) -> None:
    """Forget what is older than the history is kept."""
    before = context.now.wall - context.rules.history
    context.decision.prune_at = context.now.mono + PRUNE_EVERY
    context.decision.forget_before = before
    for incident in context.incidents():
        if incident.reported and incident.wall < before:
            context.forget_incident(incident)
    forbidden = context.send_state.last_forbidden
    if forbidden and forbidden.created < before:
        context.send_state = replace(context.send_state, last_forbidden=None)
    spool.prune(context)
    agent_sessions.prune(context)


def _run_group_timers(context: StepContext, key: str, group: Group) -> None:
    now, rule = context.now, context.rule(group.trigger)
    if is_due(group, now):
        matches.emit(context, key, group)
    elif window_ends_at(group, rule) <= now.mono:
        below = len(group.window)
        context.add_stats(group.trigger, below=below, reason="below the threshold")
        context.trace(group.trigger, Action.LAPSED, below, group=group.values)
        context.put_group(key, replace(group, window=(), window_events=()))
    if (remaining := context.group(key)) and confirmed_at(remaining, rule) <= now.mono:
        conditions.confirm(context, key, remaining)
    if remaining := context.group(key):
        conditions.remind(context, key, remaining)
    if (remaining := context.group(key)) and is_idle(remaining, now, rule):
        context.put_group(key, None)


class _MatchBatch:
    """Successive matches, gathered by group; all of them have the time of the step."""

    def __init__(self, context: StepContext) -> None:
        self._context = context
        self._notifies_each = cache(lambda trigger: context.rule(trigger).notifies_each_match)
        self._events: dict[tuple[str, tuple[str, ...]], list[Event]] = {}

    def add(self, match: Match) -> bool:
        """Gather a match; False if its result may depend on the order between groups."""
        group, event = match
        if event.alert_state is not AlertState.NONE or self._notifies_each(event.trigger):
            return False
        self._events.setdefault((event.trigger, group), []).append(event)
        return True

    def flush(self) -> None:
        """Count what was gathered, group by group in the order of their first matches."""
        for (trigger, values), events in self._events.items():
            matches.count_matches(self._context, trigger, values, events)
        self._events.clear()


def _apply(context: StepContext, event: Input) -> Reply | None:
    """Apply one event; returns the answer if it is a request that gets one."""
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
        case WebhookReceived():
            return _receive_webhook(context, event)
        case Pinged() | Spooled() | AgentReported():
            return _receive_request(context, event)
        case WorkerStarted():
            recover(context)
        case SendingAllowed():
            resume_sending(context)
        case (
            Configured()
            | Booted()
            | IncidentOccurred()
            | PingsRefused()
            | AgentEventsRefused()
            | Stalled()
            | SpoolFilesRemoved()
        ):
            pass  # applied by `_prepare`
        case _:
            assert_never(event)
    return None


def _receive_webhook(context: StepContext, request: WebhookReceived) -> Reply:
    reply = webhooks.receive(context, request)
    for match in request.matches if not reply.refusal else ():
        _count_match(context, match)
    return reply


def _receive_request(context: StepContext, request: Pinged | Spooled | AgentReported) -> Reply:
    if isinstance(request, AgentReported):
        return agent_sessions.receive(context, request)
    if isinstance(request, Spooled):
        reply, event = spool.receive(context, request)
    else:
        reply, event = heartbeats.receive(context, request.ping)
    if event is not None:
        _count_match(context, Match((), event))
    return reply


def _count_match(context: StepContext, match: Match) -> None:
    event = match.event
    if event.alert_state is AlertState.NONE:
        matches.count_matches(context, event.trigger, match.group, [event])
    else:
        key, group = matches.find_group(context, event.trigger, match.group)
        conditions.update_condition(context, key, group, match)


def _report_incidents(context: StepContext) -> None:
    """Report incidents that no notification has reported so far, in this run or an earlier one."""
    for incident in context.incidents():
        if incident.reported:
            continue
        notification = new_notification(context, _OWN_TRIGGER, Priority.HIGH, 1)
        notification = replace(notification, title=incident.title)
        admit(context, notification, Message(incident.title, incident.message))
        context.put_incident(replace(incident, reported=True))
