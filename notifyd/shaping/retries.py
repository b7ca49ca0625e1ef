"""Retries by request: sending again what did not arrive."""

from dataclasses import replace

from notifyd.model.notifications import Notification, Status
from notifyd.shaping.admission import NEVER
from notifyd.shaping.inputs import Retried
from notifyd.shaping.sending import resume_sending
from notifyd.shaping.state import Reply
from notifyd.shaping.step_context import StepContext

_RETRYABLE = frozenset({Status.FAILED, Status.EXPIRED, Status.NO_DEVICE})
"""What can be sent again once it has ended. A digest counts an expired one as well."""


def retry(context: StepContext, request: Retried) -> Reply:
    """Queue a notification again, or let a queued one go at once; both end a backoff."""
    stored = request.notification
    if not request.is_admin and (stored.peer is None or stored.peer.uid != request.peer.uid):
        return Reply(None, "not_found")
    notification = context.notification(stored.id)
    if notification is None:
        return _requeue_ended(context, stored)
    if notification.status is not Status.QUEUED:
        return Reply(notification, "held" if notification.status is Status.HELD else "in_flight")
    return _requeue(context, replace(notification, failures=0, not_before=0.0))


def _requeue_ended(context: StepContext, stored: Notification) -> Reply:
    """Queue a notification that the state no longer holds; the commit checks it is unchanged."""
    if ended := context.decision.notifications.get(stored.id):
        return Reply(ended, "changed")  # it ended after it was read from the store
    if stored.status not in _RETRYABLE:
        return Reply(stored, "finished")
    if context.waiting_at_most() >= context.rules.capacity:
        return Reply(None, "no_room")
    forbidden = context.send_state.last_forbidden
    if forbidden and forbidden.id == stored.id:
        context.send_state = replace(context.send_state, last_forbidden=None)
    context.decision.retried.append(stored)
    is_digest = stored.expires >= NEVER
    notification = replace(
        stored,
        status=Status.QUEUED,
        failures=0,
        not_before=0.0,
        expires=stored.expires if is_digest else context.expiry_in(context.rules.expire),
        group="",
        report=None,
    )
    return _requeue(context, notification)


def _requeue(context: StepContext, notification: Notification) -> Reply:
    context.put_notification(notification)
    resume_sending(context)
    return Reply(notification)
