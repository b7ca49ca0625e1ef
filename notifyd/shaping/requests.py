"""What other programs ask of the outbox through the socket."""

from dataclasses import replace

from notifyd.model.notifications import SOCKET, Notification, Status
from notifyd.shaping.admission import (
    admit,
    charge_budget,
    close_group,
    merge_over_budget,
    new_notification,
    trace_notification,
)
from notifyd.shaping.inputs import Cancelled, Submitted
from notifyd.shaping.mutes import hold_back
from notifyd.shaping.state import Reply
from notifyd.shaping.step_context import StepContext
from notifyd.shaping.trace import Action


def submit(context: StepContext, request: Submitted) -> Reply:
    replaced = _find_by_key(context, request.key, request.peer.uid) if request.key else []
    if not replaced and not _has_room(context, request.peer.uid):
        return Reply(None, "no_room")
    for notification in replaced:
        _withdraw(context, notification, Status.REPLACED)
    notification = replace(
        new_notification(context, SOCKET, request.priority, 1),
        key=request.key,
        peer=request.peer,
        title=request.message.title,
    )
    context.add_stats(SOCKET, matches=1)
    if request.delay > 0:
        notification = replace(
            notification,
            status=Status.HELD,
            not_before=context.now.mono + request.delay,
            expires=notification.expires + request.delay,
        )
        context.put_notification(notification, request.message)
        until = context.now.wall + request.delay
        trace_notification(
            context, Action.HELD, notification, request.message, until=until, known=notification.id
        )
        return Reply(notification)
    muted = hold_back(context, notification, request.message)
    return Reply(muted or admit(context, notification, request.message))


def release_held(context: StepContext, notification: Notification) -> None:
    """Let a held request in, its delay being over."""
    if hold_back(context, notification, None):
        return
    if not charge_budget(context, notification):
        merge_over_budget(context, notification, None)
        return
    context.put_notification(replace(notification, status=Status.QUEUED))
    context.add_stats(notification.trigger, sent=1)
    trace_notification(context, Action.QUEUED, notification, None, known=notification.id)


def _has_room(context: StepContext, uid: int) -> bool:
    """Whether one more may wait; of one user a tenth less than of all, so that others can send."""
    capacity = context.rules.capacity
    share = capacity - capacity // 10
    if context.waiting_at_most() < share:
        return True
    rows = list(context.notifications())
    return len(rows) < capacity and sum(_owns(notification, uid) for notification in rows) < share


def cancel(context: StepContext, request: Cancelled) -> Reply:
    if request.key:
        found = _find_by_key(context, request.key, request.peer.uid, tried=True)
    else:
        notification = context.notification(request.id)
        found = (
            [notification]
            if notification and (request.is_admin or _owns(notification, request.peer.uid))
            else []
        )
    if not found:
        return Reply(None, "not_found")
    if found[0].was_attempted:
        return Reply(found[0], "in_flight")
    return Reply(_withdraw(context, found[0], Status.CANCELLED))


def _owns(notification: Notification, uid: int) -> bool:
    return notification.peer is not None and notification.peer.uid == uid


def _find_by_key(
    context: StepContext, key: str, uid: int, *, tried: bool = False
) -> list[Notification]:
    """Find the user's notifications of this key, those first that may still be replaced."""
    rows = [
        notification
        for notification in context.notifications()
        if notification.key == key and _owns(notification, uid)
    ]
    return sorted(
        (notification for notification in rows if tried or not notification.was_attempted),
        key=lambda notification: notification.was_attempted,
    )


def _withdraw(context: StepContext, notification: Notification, status: Status) -> Notification:
    close_group(context, notification)
    ended = replace(notification, status=status, group="")
    context.put_notification(ended)
    return ended
