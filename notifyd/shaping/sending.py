"""Sending: which notification is next, and what the outcome of an attempt means."""

from dataclasses import replace

from notifyd.model.attempts import Outcome, OutcomeKind, SendAttempt
from notifyd.model.events import Now
from notifyd.model.notifications import Notification, Priority, Status
from notifyd.shaping.admission import close_group
from notifyd.shaping.send_state import SendState, SendStatus, max_attempted
from notifyd.shaping.step_context import StepContext

_ENDED = {
    OutcomeKind.DELIVERED: Status.DELIVERED,
    OutcomeKind.NO_DEVICE: Status.NO_DEVICE,
    OutcomeKind.FAILED: Status.FAILED,
}
LONGEST_PAUSE = 3600.0
"""Seconds after a start by which every pause ends, whatever happened to the clocks meanwhile."""

_FAILURES_BEFORE_YIELDING = 3
"""Failures of its own after which a notification lets unattempted ones go first."""

_INTERRUPTED = "interrupted; it may have been delivered"


def dispatch(context: StepContext) -> None:
    """Give the free worker its next attempt. From this commit on, the notification is attempted."""
    send_state = context.send_state
    if send_state.next_send_at(context.rules.rate) > context.now.mono:
        return
    notification = choose_next(context.queued(), send_state.consecutive_failures, context.now)
    if notification is None:
        return
    close_group(context, notification)
    notification = replace(
        notification, status=Status.ATTEMPTING, attempts=notification.attempts + 1, group=""
    )
    context.put_notification(notification)
    context.send_state = replace(context.send_state, in_flight=notification.id, worker_free=False)
    context.decision.attempt = SendAttempt(
        notification.id,
        notification.attempts,
        notification.failures,
        send_state.consecutive_failures,
    )


def choose_next(
    queued: list[Notification], consecutive_failures: int, now: Now
) -> Notification | None:
    """Pick urgent and high before others, then the oldest; during failures see `max_attempted`."""
    ready = [each for each in queued if each.not_before <= now.mono]
    attempted = [each for each in ready if each.was_attempted]
    if consecutive_failures and len(attempted) >= max_attempted(consecutive_failures):
        return min(attempted, key=lambda each: (each.not_before, each.created, each.id))
    return min(ready, key=_send_order, default=None)


def _send_order(notification: Notification) -> tuple[bool, int, float, str]:
    rank = max(notification.priority.rank, Priority.DEFAULT.rank)
    return (
        notification.failures >= _FAILURES_BEFORE_YIELDING,
        -rank,
        notification.created,
        notification.id,
    )


def settle(context: StepContext, outcome: Outcome) -> None:
    """Apply the outcome of an attempt. A repeated one changes no notification."""
    now, send_state = context.now, context.send_state
    send_state = replace(send_state, slots=send_state.with_slot(now, context.rules.rate))
    if outcome.id == send_state.in_flight:  # else it comes from an earlier worker
        send_state = replace(send_state, in_flight="", worker_free=True)
    context.send_state = send_state
    notification = context.notification(outcome.id)
    if notification is None:
        return
    notification = replace(
        notification, status=Status.QUEUED, last_error=outcome.reason, report=outcome.report
    )
    match outcome.kind:
        case OutcomeKind.DELIVERED | OutcomeKind.NO_DEVICE | OutcomeKind.FAILED:
            context.put_notification(replace(notification, status=_ENDED[outcome.kind]))
            _accept_token(context)
            context.send_state = replace(
                context.send_state,
                status=SendStatus.OK,
                error="",
                cause="",
                no_device_reason=_no_device_reason(context.send_state, outcome),
                consecutive_failures=0,
                last_forbidden=None,
                backoff_until=now.mono,
            )
        case OutcomeKind.FORBIDDEN:
            _settle_forbidden(context, notification, outcome)
        case OutcomeKind.REFUSED:
            context.put_notification(notification)
            _refuse_token(context, outcome)
        case OutcomeKind.RETRY | OutcomeKind.ENDPOINT:
            _postpone(context, notification, outcome)


def _no_device_reason(send_state: SendState, outcome: Outcome) -> str:
    match outcome.kind:
        case OutcomeKind.NO_DEVICE:
            return outcome.reason
        case OutcomeKind.DELIVERED:
            return ""
    return send_state.no_device_reason


def _postpone(context: StepContext, notification: Notification, outcome: Outcome) -> None:
    now, send_state = context.now, context.send_state
    failures = notification.failures + 1
    not_before = notification.not_before
    if failures >= _FAILURES_BEFORE_YIELDING:
        not_before = now.mono + outcome.own_pause
    context.put_notification(replace(notification, failures=failures, not_before=not_before))
    context.send_state = replace(
        send_state,
        consecutive_failures=send_state.consecutive_failures + 1,
        backoff_until=now.mono + outcome.pause,
        retry_after_until=now.mono + outcome.retry_after,
    )
    if outcome.kind is OutcomeKind.ENDPOINT:
        _accept_token(context)
        _set_status(context, SendStatus.ENDPOINT, outcome)
    elif send_state.status is not SendStatus.REFUSED:  # the token may still be refused
        _set_status(context, SendStatus.WAITING, outcome)


def _set_status(context: StepContext, status: SendStatus, outcome: Outcome) -> None:
    context.send_state = replace(
        context.send_state, status=status, error=outcome.reason, cause=outcome.cause
    )


def _settle_forbidden(context: StepContext, notification: Notification, outcome: Outcome) -> None:
    """Fail the notification, unless another had a 403 just before: then the token is refused."""
    earlier = context.send_state.last_forbidden
    if earlier is None or earlier.id == notification.id:
        failed = replace(notification, status=Status.FAILED)
        context.put_notification(failed)
        context.send_state = replace(
            context.send_state, last_forbidden=failed, consecutive_failures=0
        )
        return
    context.put_notification(notification)
    context.put_notification(replace(earlier, status=Status.QUEUED))
    _refuse_token(context, outcome)


def _refuse_token(context: StepContext, outcome: Outcome) -> None:
    _set_status(context, SendStatus.REFUSED, outcome)
    context.send_state = replace(
        context.send_state,
        backoff_until=context.now.mono + context.rules.probe,
        refused_since=context.send_state.refused_since or context.now.mono,
        last_forbidden=None,
    )


def _accept_token(context: StepContext) -> None:
    """Add the time for which the token was refused to each expiry.

    What was queued meanwhile waited for a part of it only: it has the whole time from now on.
    """
    since = context.send_state.refused_since
    if not since:
        return
    extend_expiry(context, context.now.mono - since)
    context.send_state = replace(context.send_state, refused_since=0.0)


def extend_expiry(context: StepContext, seconds: float) -> None:
    """Add the time in which nothing could be sent to each expiry, up to `expire` from now."""
    latest = context.expiry_in(context.rules.expire)
    for notification in list(context.notifications()):
        expires = max(notification.expires, min(notification.expires + seconds, latest))
        context.put_notification(replace(notification, expires=expires))


def resume_sending(context: StepContext) -> None:
    """End the backoff. A pause that the API asked for is kept."""
    context.send_state = replace(
        context.send_state,
        backoff_until=min(context.send_state.backoff_until, context.now.mono),
        consecutive_failures=0,
    )


def resume_after_gap(context: StepContext) -> None:
    """End what waits for the network to return: it was away, or has returned, during the gap."""
    if context.send_state.status is not SendStatus.WAITING:
        return
    resume_sending(context)
    now = context.now.mono
    for notification in context.queued():
        if notification.not_before > now:
            context.put_notification(replace(notification, not_before=now))


def recover(context: StepContext) -> None:
    """Start with a new worker. An interrupted attempt may have arrived: it takes a slot."""
    send_state, now = context.send_state, context.now
    for notification in list(context.notifications()):
        if notification.status is Status.ATTEMPTING:
            queued = replace(notification, status=Status.QUEUED, last_error=_INTERRUPTED)
            context.put_notification(queued)
            send_state = replace(send_state, slots=send_state.with_slot(now, context.rules.rate))
    longest = 0.0 if send_state.status is SendStatus.REFUSED else LONGEST_PAUSE
    context.send_state = replace(
        send_state,
        in_flight="",
        worker_free=True,
        backoff_until=min(send_state.backoff_until, now.mono + longest),
        retry_after_until=min(send_state.retry_after_until, now.mono + LONGEST_PAUSE),
    )
