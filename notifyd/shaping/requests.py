"""What other programs ask of the outbox through the socket."""

from dataclasses import replace

from notifyd.model.notifications import SOCKET, Notification, Status
from notifyd.shaping.admission import admit, affordable, new_row, over_budget, release_group, trace
from notifyd.shaping.inputs import Cancelled, Submitted
from notifyd.shaping.mutes import hold_back
from notifyd.shaping.state import Reply
from notifyd.shaping.step_context import StepContext
from notifyd.shaping.trace import Action


def submit(draft: StepContext, request: Submitted) -> Reply:
    replaced = _bearing(draft, request.key, request.peer.uid) if request.key else []
    if not replaced and not _has_room(draft, request.peer.uid):
        return Reply(None, "no_room")
    for row in replaced:
        _end(draft, row, Status.REPLACED)
    row = replace(
        new_row(draft, SOCKET, request.priority, 1),
        key=request.key,
        peer=request.peer,
        title=request.message.title,
    )
    draft.add_stats(SOCKET, matches=1)
    if request.delay > 0:
        row = replace(
            row,
            status=Status.HELD,
            not_before=draft.now.mono + request.delay,
            expires=row.expires + request.delay,
        )
        draft.put_notification(row, request.message)
        until = draft.now.wall + request.delay
        trace(draft, Action.HELD, row, request.message, until=until, known=row.id)
        return Reply(row)
    muted = hold_back(draft, row, request.message)
    return Reply(muted or admit(draft, row, request.message))


def release(draft: StepContext, row: Notification) -> None:
    """Let a held request in, its delay being over."""
    if hold_back(draft, row, None):
        return
    if not affordable(draft, row):
        over_budget(draft, row, None)
        return
    draft.put_notification(replace(row, status=Status.QUEUED))
    draft.add_stats(row.trigger, sent=1)
    trace(draft, Action.QUEUED, row, None, known=row.id)


def _has_room(draft: StepContext, uid: int) -> bool:
    """Whether one more may wait; of one user a tenth less than of all, so that others can send."""
    capacity = draft.rules.capacity
    share = capacity - capacity // 10
    if draft.waiting() < share:
        return True
    rows = list(draft.notifications())
    return len(rows) < capacity and sum(_owns(row, uid) for row in rows) < share


def cancel(draft: StepContext, wish: Cancelled) -> Reply:
    if wish.key:
        found = _bearing(draft, wish.key, wish.peer.uid, tried=True)
    else:
        row = draft.notification(wish.id)
        found = [row] if row and (wish.everyone or _owns(row, wish.peer.uid)) else []
    if not found:
        return Reply(None, "not_found")
    if found[0].was_attempted:
        return Reply(found[0], "in_flight")
    return Reply(_end(draft, found[0], Status.CANCELLED))


def _owns(row: Notification, uid: int) -> bool:
    return row.peer is not None and row.peer.uid == uid


def _bearing(draft: StepContext, key: str, uid: int, *, tried: bool = False) -> list[Notification]:
    """Find the user's notifications of this key, those first that may still be replaced."""
    rows = [row for row in draft.notifications() if row.key == key and _owns(row, uid)]
    return sorted(
        (row for row in rows if tried or not row.was_attempted), key=lambda row: row.was_attempted
    )


def _end(draft: StepContext, row: Notification, status: Status) -> Notification:
    release_group(draft, row)
    ended = replace(row, status=status, group="")
    draft.put_notification(ended)
    return ended
