"""Requests from the spool: each counts once, however often its file is read."""

from dataclasses import replace

from notifyd.model.events import Event, Now
from notifyd.model.notifications import SOCKET
from notifyd.model.pings import Ping
from notifyd.shaping import heartbeat, heartbeats
from notifyd.shaping.admission import expire, new_message
from notifyd.shaping.agents import sessions as agent_sessions
from notifyd.shaping.inputs import AgentReported, Spooled, SpoolFilesRemoved, Submitted
from notifyd.shaping.requests import submit
from notifyd.shaping.state import Reply, SpooledId
from notifyd.shaping.step_context import StepContext

_REMEMBERED = 31 * 86_400.0
"""Seconds after which an id is forgotten in any case: a kill can lose the removal of its file."""

KNOWN = "known"
"""The refusal of a request whose id was committed before."""

EXPIRED = "expired"
"""The refusal of a request that is too old. A message is counted in a digest."""

OUTDATED = "outdated"
"""The refusal of a ping that is older than the last ping of its heartbeat."""


def receive(context: StepContext, spooled: Spooled) -> tuple[Reply, Event | None]:
    """Take a request that was not committed before. The caller counts the event of a ping."""
    if context.is_spooled_id(spooled.id) or context.notification(spooled.id) is not None:
        return Reply(None, KNOWN), None
    now, request = context.now, spooled.request
    created = min(spooled.time, now.wall)
    has_expired = spooled.expires <= now.wall
    event = None
    if isinstance(request, Submitted):
        delay = max(0.0, request.delay - (now.wall - created))
        message = replace(request, id=spooled.id, created=created, delay=delay)
        reply = _expire(context, message) if has_expired else submit(context, message)
    elif has_expired:
        reply = Reply(None, EXPIRED)
    elif isinstance(request, AgentReported):
        report = replace(request.report, time=created)
        reply = agent_sessions.receive(context, replace(request, report=report), spooled=True)
    else:
        reply, event = _receive_ping(context, request.ping, created)
    if reply.refusal != "no_room":  # the file stays, and is read again
        context.put_spooled_id(spooled.id, SpooledId(now.mono))
    return reply, event


def forget(context: StepContext, removed: SpoolFilesRemoved) -> None:
    """Forget the ids of files that are gone."""
    for spooled_id in removed.ids:
        if context.is_spooled_id(spooled_id):
            context.put_spooled_id(spooled_id, None)


def prune(context: StepContext) -> None:
    """Forget ids that are so old that no file of theirs is valid any more."""
    before = context.now.mono - _REMEMBERED
    for spooled_id, known in context.spooled_ids():
        if known.since < before:
            context.put_spooled_id(spooled_id, None)


def _expire(context: StepContext, message: Submitted) -> Reply:
    """Count a message that is too old into the digest of expired notifications."""
    notification = new_message(context, message)
    context.add_stats(SOCKET, matches=1, reason="expired in the spool; counted in the next digest")
    context.put_notification(notification, message.message)
    expire(context, notification)
    return Reply(notification, EXPIRED)


def _receive_ping(context: StepContext, ping: Ping, wall: float) -> tuple[Reply, Event | None]:
    """Take a ping as of the time at which it was made; then all waits restart.

    A ping that is older than the last one says nothing about the present.
    """
    name, now = ping.heartbeat, context.now
    known, rule = context.heartbeat(name), context.rules.heartbeats.get(name)
    if known is None or rule is None:
        return Reply(None, heartbeats.UNKNOWN), None
    if wall < known.pinged_at <= now.wall:
        return Reply(None, OUTDATED), None
    made = Now(max(0.0, context.to_mono(wall)), wall)  # the line begins with the boot at first
    changed, event = heartbeat.receive(known, rule, ping, made)
    context.put_heartbeat(name, heartbeat.restart_wait(changed, rule, now))
    return Reply(None), event
