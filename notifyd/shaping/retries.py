"""Sending again, by somebody's wish, what did not arrive."""

from dataclasses import replace

from notifyd.model.notifications import Notification, Status
from notifyd.shaping.inputs import Retried
from notifyd.shaping.sending import resume_sending
from notifyd.shaping.state import Reply
from notifyd.shaping.step_context import StepContext

_RETRYABLE = frozenset({Status.FAILED, Status.EXPIRED, Status.NO_DEVICE})
"""How those ended that can be sent again. An expired one was counted in a digest already."""


def retry(context: StepContext, request: Retried) -> Reply:
    """Put a row back into the queue, or a waiting one to its front; either ends a pause."""
    known = request.notification
    if not request.is_admin and (known.peer is None or known.peer.uid != request.peer.uid):
        return Reply(None, "not_found")
    notification = context.notification(known.id)
    if notification is None:
        return _requeue_ended(context, known)
    if notification.status is not Status.QUEUED:
        return Reply(notification, "held" if notification.status is Status.HELD else "in_flight")
    return _requeue(context, replace(notification, failures=0, not_before=0.0))


def _requeue_ended(context: StepContext, known: Notification) -> Reply:
    """Take a row back that waits no longer: it comes from the store, so the commit checks it."""
    if ended := context.decision.notifications.get(known.id):
        return Reply(ended, "changed")  # it was under way when the store was asked
    if known.status not in _RETRYABLE:
        return Reply(known, "finished")
    if context.waiting_at_most() >= context.rules.capacity:
        return Reply(None, "no_room")
    forbidden = context.send_state.last_forbidden
    if forbidden and forbidden.id == known.id:
        context.send_state = replace(
            context.send_state, last_forbidden=None
        )  # it is no longer as it is remembered
    context.decision.retried.append(known)
    notification = replace(
        known,
        status=Status.QUEUED,
        failures=0,
        not_before=0.0,
        expires=context.now.wall + context.rules.expire,
        group="",
        report=None,
    )
    return _requeue(context, notification)


def _requeue(context: StepContext, notification: Notification) -> Reply:
    context.put_notification(notification)
    resume_sending(context)
    return Reply(notification)
