"""Heartbeats: pings are requests, and deadlines are timers of the fold.

Events are returned for the caller to count, in the group that each heartbeat is.
"""

from notifyd.model.events import Event
from notifyd.model.pings import Ping
from notifyd.shaping import heartbeat
from notifyd.shaping.state import Reply
from notifyd.shaping.step_context import StepContext

UNKNOWN = "unknown_heartbeat"
"""The refusal of a ping for a heartbeat that is not configured."""


def receive(context: StepContext, ping: Ping) -> tuple[Reply, Event | None]:
    """Take a ping, or refuse one for an unknown heartbeat."""
    name = ping.heartbeat
    known, rule = context.heartbeat(name), context.rules.heartbeats.get(name)
    if known is None or rule is None:
        return Reply(None, UNKNOWN), None
    changed, event = heartbeat.receive(known, rule, ping, context.now)
    context.put_heartbeat(name, changed)
    return Reply(None), event


def check_deadlines(context: StepContext) -> list[Event]:
    """Return an alarm for each heartbeat whose deadline has passed."""
    events = []
    for name, known in context.heartbeats():
        rule = context.rules.heartbeats.get(name)
        if rule is None or known.deadline > context.now.mono:
            continue
        changed, event = heartbeat.check_deadline(known, name, rule, context.now)
        context.put_heartbeat(name, changed)
        if event is not None:
            events.append(event)
    return events


def apply_rules(context: StepContext) -> None:
    """Adjust the heartbeats to the rules of a start or a reload.

    New ones, changed ones and, at a start, all of them begin to wait now.
    """
    rules = context.rules.heartbeats
    known = dict(context.heartbeats())
    for name in known.keys() - rules.keys():
        context.put_heartbeat(name, None)
    for name, rule in rules.items():
        if name not in known:
            context.put_heartbeat(name, heartbeat.new_heartbeat(rule, context.now))
        elif not known[name].is_waiting or known[name].rule_identity != rule.identity:
            changed = heartbeat.restart_wait(known[name], rule, context.now)
            context.put_heartbeat(name, changed)


def restart_waits(context: StepContext, names: frozenset[str] | None = None) -> None:
    """Restart the waits of heartbeats: no ping could arrive. names: None for all of them."""
    for name, known in context.heartbeats():
        rule = context.rules.heartbeats.get(name)
        if rule is not None and (names is None or name in names):
            context.put_heartbeat(name, heartbeat.restart_wait(known, rule, context.now))


def follow_clock(context: StepContext) -> None:
    """Adjust the deadlines to a wall clock that was set."""
    for name, known in context.heartbeats():
        if rule := context.rules.heartbeats.get(name):
            context.put_heartbeat(name, heartbeat.follow_clock(known, rule, context.now))
