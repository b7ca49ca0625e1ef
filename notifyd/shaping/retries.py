"""Sending again, by somebody's wish, what did not arrive."""

from dataclasses import replace

from notifyd.model.notifications import Notification, Status
from notifyd.shaping.inputs import Retried
from notifyd.shaping.sending import allow
from notifyd.shaping.state import Reply
from notifyd.shaping.step_context import StepContext

_OVER = frozenset({Status.FAILED, Status.EXPIRED, Status.NO_DEVICE})
"""How those ended that can be sent again. An expired one was counted in a digest already."""


def retry(draft: StepContext, wish: Retried) -> Reply:
    """Put a row back into the queue, or a waiting one to its front; either ends a pause."""
    known = wish.notification
    if not wish.everyone and (known.peer is None or known.peer.uid != wish.peer.uid):
        return Reply(None, "not_found")
    row = draft.notification(known.id)
    if row is None:
        return _revived(draft, known)
    if row.status is not Status.QUEUED:
        return Reply(row, "held" if row.status is Status.HELD else "in_flight")
    return _queued(draft, replace(row, failures=0, not_before=0.0))


def _revived(draft: StepContext, known: Notification) -> Reply:
    """Take a row back that waits no longer: it comes from the store, so the commit checks it."""
    if ended := draft.decision.notifications.get(known.id):
        return Reply(ended, "changed")  # it was under way when the store was asked
    if known.status not in _OVER:
        return Reply(known, "finished")
    if draft.waiting() >= draft.rules.capacity:
        return Reply(None, "no_room")
    forbidden = draft.send_state.last_forbidden
    if forbidden and forbidden.id == known.id:
        draft.send_state = replace(
            draft.send_state, last_forbidden=None
        )  # it is no longer as it is remembered
    draft.decision.retried.append(known)
    row = replace(
        known,
        status=Status.QUEUED,
        failures=0,
        not_before=0.0,
        expires=draft.now.wall + draft.rules.expire,
        group="",
        report=None,
    )
    return _queued(draft, row)


def _queued(draft: StepContext, row: Notification) -> Reply:
    draft.put_notification(row)
    allow(draft)
    return Reply(row)
