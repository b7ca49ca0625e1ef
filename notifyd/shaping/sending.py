"""What is sent next, and what an attempt's outcome means for its row and for sending as a whole."""

from dataclasses import replace

from notifyd.model.attempts import Outcome, OutcomeKind, SendAttempt
from notifyd.model.events import Now
from notifyd.model.notifications import Notification, Priority, Status
from notifyd.shaping.admission import release_group
from notifyd.shaping.send_state import SendState, SendStatus, spread
from notifyd.shaping.step_context import StepContext

_ENDED = {
    OutcomeKind.DELIVERED: Status.DELIVERED,
    OutcomeKind.NO_DEVICE: Status.NO_DEVICE,
    OutcomeKind.FAILED: Status.FAILED,
}
LONGEST_PAUSE = 3600.0
"""Seconds: whatever became of the clocks, a start waits no longer for what an API once asked."""

_PATIENCE = 3
"""After so many failures of its own a notification lets those go first that were never tried."""


def dispatch(draft: StepContext) -> None:
    """Give the free worker its next order: from this commit on, its row counts as tried."""
    gate = draft.send_state
    if gate.next_send_at(draft.rules.rate) > draft.now.mono:
        return
    row = choose(draft.queued(), gate.consecutive_failures, draft.now)
    if row is None:
        return
    release_group(draft, row)
    row = replace(row, status=Status.ATTEMPTING, attempts=row.attempts + 1, group="")
    draft.put_notification(row)
    draft.send_state = replace(draft.send_state, in_flight=row.id, worker_free=False)
    draft.decision.attempt = SendAttempt(
        row.id, row.attempts, row.failures, gate.consecutive_failures
    )


def choose(queued: list[Notification], streak: int, now: Now) -> Notification | None:
    """Pick urgent and high first, then the oldest; see `spread` for a streak of failures."""
    ready = [row for row in queued if row.not_before <= now.mono]
    tried = [row for row in ready if row.was_attempted]
    if streak and len(tried) >= spread(streak):
        return min(tried, key=lambda row: (row.not_before, row.created, row.id))
    return min(ready, key=_turn, default=None)


def _turn(row: Notification) -> tuple[bool, int, float, str]:
    rank = max(row.priority.rank, Priority.DEFAULT.rank)
    return row.failures >= _PATIENCE, -rank, row.created, row.id


def settle(draft: StepContext, outcome: Outcome) -> None:
    """Write an outcome down. One that nobody waits for (told twice) changes no row."""
    now, gate = draft.now, draft.send_state
    gate = replace(gate, slots=gate.with_slot(now, draft.rules.rate))
    if outcome.id == gate.in_flight:  # else a worker tells it that has been replaced meanwhile
        gate = replace(gate, in_flight="", worker_free=True)
    draft.send_state = gate
    row = draft.notification(outcome.id)
    if row is None:
        return
    row = replace(row, status=Status.QUEUED, last_error=outcome.reason, report=outcome.report)
    match outcome.kind:
        case OutcomeKind.DELIVERED | OutcomeKind.NO_DEVICE | OutcomeKind.FAILED:
            draft.put_notification(replace(row, status=_ENDED[outcome.kind]))
            _unrefuse(draft)
            draft.send_state = replace(
                draft.send_state,
                status=SendStatus.OK,
                error="",
                cause="",
                no_device_reason=_nobody(draft.send_state, outcome),
                consecutive_failures=0,
                last_forbidden=None,
                backoff_until=now.mono,
            )
        case OutcomeKind.FORBIDDEN:
            _forbidden(draft, row, outcome)
        case OutcomeKind.REFUSED:
            draft.put_notification(row)
            _refuse(draft, outcome)
        case OutcomeKind.RETRY | OutcomeKind.ENDPOINT:
            _postpone(draft, row, outcome)


def _nobody(gate: SendState, outcome: Outcome) -> str:
    match outcome.kind:
        case OutcomeKind.NO_DEVICE:
            return outcome.reason
        case OutcomeKind.DELIVERED:
            return ""
    return gate.no_device_reason


def _postpone(draft: StepContext, row: Notification, outcome: Outcome) -> None:
    now, gate = draft.now, draft.send_state
    failures = row.failures + 1
    release = now.mono + outcome.own_pause if failures >= _PATIENCE else row.not_before
    draft.put_notification(replace(row, failures=failures, not_before=release))
    draft.send_state = replace(
        gate,
        consecutive_failures=gate.consecutive_failures + 1,
        backoff_until=now.mono + outcome.pause,
        retry_after_until=now.mono + outcome.retry_after,
    )
    if outcome.kind is OutcomeKind.ENDPOINT:
        _unrefuse(draft)
        _stop(draft, SendStatus.ENDPOINT, outcome)
    elif gate.status is not SendStatus.REFUSED:  # of a refused token this says nothing
        _stop(draft, SendStatus.WAITING, outcome)


def _stop(draft: StepContext, sending: SendStatus, outcome: Outcome) -> None:
    draft.send_state = replace(
        draft.send_state, status=sending, error=outcome.reason, cause=outcome.cause
    )


def _forbidden(draft: StepContext, row: Notification, outcome: Outcome) -> None:
    """One 403 is that notification's own fault; a second one on another is the token's."""
    earlier = draft.send_state.last_forbidden
    if earlier is None or earlier.id == row.id:
        failed = replace(row, status=Status.FAILED)
        draft.put_notification(failed)
        draft.send_state = replace(draft.send_state, last_forbidden=failed, consecutive_failures=0)
        return
    draft.put_notification(row)
    draft.put_notification(replace(earlier, status=Status.QUEUED))
    _refuse(draft, outcome)


def _refuse(draft: StepContext, outcome: Outcome) -> None:
    _stop(draft, SendStatus.REFUSED, outcome)
    draft.send_state = replace(
        draft.send_state,
        backoff_until=draft.now.mono + draft.rules.probe,
        refused_since=draft.send_state.refused_since or draft.now.mono,
        last_forbidden=None,
    )


def _unrefuse(draft: StepContext) -> None:
    """Give each row the time back for which it sat out a refused token: nothing expires by it."""
    since = draft.send_state.refused_since
    if not since:
        return
    for row in list(draft.notifications()):
        waited = max(0.0, min(draft.now.mono - since, draft.now.wall - row.created))
        draft.put_notification(replace(row, expires=row.expires + waited))
    draft.send_state = replace(draft.send_state, refused_since=0.0)


def allow(draft: StepContext) -> None:
    """Try again at once: somebody may have mended it. What the API itself asked for is kept."""
    draft.send_state = replace(
        draft.send_state,
        backoff_until=min(draft.send_state.backoff_until, draft.now.mono),
        consecutive_failures=0,
    )


def recover(draft: StepContext) -> None:
    """Start with a new worker: what was under way may have arrived, so it keeps its id and slot."""
    gate, now = draft.send_state, draft.now
    for row in list(draft.notifications()):
        if row.status is Status.ATTEMPTING:
            draft.put_notification(
                replace(
                    row, status=Status.QUEUED, last_error="it was interrupted, and may have arrived"
                )
            )
            gate = replace(gate, slots=gate.with_slot(now, draft.rules.rate))
    longest = 0.0 if gate.status is SendStatus.REFUSED else LONGEST_PAUSE
    draft.send_state = replace(
        gate,
        in_flight="",
        worker_free=True,
        backoff_until=min(gate.backoff_until, now.mono + longest),
        retry_after_until=min(gate.retry_after_until, now.mono + LONGEST_PAUSE),
    )
