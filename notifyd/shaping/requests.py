"""Requests of other programs: to submit, hold and cancel messages."""

from dataclasses import replace

from notifyd.model.notifications import Notification, Status
from notifyd.shaping.admission import (
    admit,
    charge_budget,
    close_group,
    is_over_budget,
    merge_over_budget,
    new_message,
    refund_budget,
    trace_notification,
)
from notifyd.shaping.inputs import Cancelled, Submitted
from notifyd.shaping.mutes import hold_back
from notifyd.shaping.state import Reply
from notifyd.shaping.step_context import StepContext
from notifyd.shaping.trace import Action


def submit(context: StepContext, request: Submitted) -> Reply:
    replaced = []
    if request.key:
        found = _find_by_key(context, request.key, request.peer.uid)
        replaced = [each for each in found if not each.was_attempted]
    if not replaced and not _has_room(context, request.peer.uid):
        return Reply(None, "no_room")
    for notification in replaced:
        withdraw(context, notification, Status.REPLACED)
    notification = new_message(context, request)
    context.add_stats(request.trigger, matches=1)
    if request.delay > 0:
        return Reply(_hold(context, notification, request))
    if muted := hold_back(context, notification, request.message):
        return Reply(muted)
    admitted = admit(context, notification, request.message)
    return Reply(admitted, over_budget=is_over_budget(context, admitted))


def _hold(context: StepContext, notification: Notification, request: Submitted) -> Notification:
    """Keep a notification back for the delay that was asked for."""
    notification = replace(
        notification,
        status=Status.HELD,
        not_before=context.now.mono + request.delay,
        expires=notification.expires + request.delay,
    )
    context.put_notification(notification, request.message)
    trace_notification(
        context,
        Action.HELD,
        notification,
        request.message,
        until=context.now.wall + request.delay,
        notification_id=notification.id,
    )
    return notification


def release_held(context: StepContext, notification: Notification) -> None:
    """Queue a held notification whose delay is over."""
    if hold_back(context, notification, None):
        return
    if not charge_budget(context, notification):
        merge_over_budget(context, notification, None)
        return
    context.put_notification(replace(notification, status=Status.QUEUED))
    context.add_stats(notification.trigger, sent=1)
    trace_notification(context, Action.QUEUED, notification, None, notification_id=notification.id)


def _has_room(context: StepContext, uid: int) -> bool:
    """Whether one more may wait. One user gets at most nine tenths of the room."""
    capacity = context.rules.capacity
    share = capacity - capacity // 10
    if context.waiting_at_most() < share:
        return True
    waiting = list(context.notifications())
    return len(waiting) < capacity and sum(_is_owned(each, uid) for each in waiting) < share


def cancel(context: StepContext, request: Cancelled) -> Reply:
    uid = request.peer.uid
    if request.key:
        # One that was not attempted yet comes first: it can still be cancelled.
        found = sorted(_find_by_key(context, request.key, uid), key=lambda each: each.was_attempted)
        notification = found[0] if found else None
    else:
        notification = context.notification(request.id)
        if notification and not (request.is_admin or _is_owned(notification, uid)):
            notification = None
    if notification is None:
        return Reply(None, "not_found")
    if notification.was_attempted:
        return Reply(notification, "in_flight")
    return Reply(withdraw(context, notification, Status.CANCELLED))


def _is_owned(notification: Notification, uid: int) -> bool:
    return notification.peer is not None and notification.peer.uid == uid


def _find_by_key(context: StepContext, key: str, uid: int) -> list[Notification]:
    """List the user's waiting notifications of this key."""
    return [
        notification
        for notification in context.notifications()
        if notification.key == key and _is_owned(notification, uid)
    ]


def withdraw(context: StepContext, notification: Notification, status: Status) -> Notification:
    """End a notification that was never attempted; returns it as it is after that."""
    close_group(context, notification)
    refund_budget(context, notification)
    ended = replace(notification, status=status, group="")
    context.put_notification(ended)
    return ended
