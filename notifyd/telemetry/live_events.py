"""What `GET /v1/events` shows of a commit: matches, notifications, outcomes of attempts."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from notifyd.api.event_log import EventKind, EventLog, LiveEvent
from notifyd.model.attempts import Outcome, OutcomeKind
from notifyd.model.notifications import SOCKET, TCP_PEER, Json, Notification, Payload
from notifyd.outbox.rows import OutboxEntry
from notifyd.shaping.inputs import Input, Settled
from notifyd.shaping.state import Decision, State
from notifyd.shaping.trace import LINE_CLIP, TraceEntry
from notifyd.text.limits import ELLIPSIS
from notifyd.text.redaction import redact

_ENDED = frozenset({OutcomeKind.DELIVERED, OutcomeKind.NO_DEVICE, OutcomeKind.FAILED})


class EventRecorder:
    """mask: applied to text that did not go through a notification."""

    def __init__(self) -> None:
        self.log = EventLog()
        self.mask: Callable[[str], str] = redact

    def record(
        self,
        state: State,
        decision: Decision,
        events: Iterable[Input],
        entries: Sequence[OutboxEntry],
        wall: float,
    ) -> None:
        """Publish what a decision did. Call it once the decision is on disk.

        state: as it was before. events: those that were folded. entries: the outbox entries of the
        commit. wall: the time of the step.
        """
        outcomes = [event.outcome for event in events if isinstance(event, Settled)]
        found = [
            *_deliveries(state, outcomes, wall),
            *(self._match(*step) for step in decision.steps if step[0] != SOCKET),
            *_notifications(state, entries, wall),
        ]
        self.log.publish(found)

    def _match(self, trigger: str, entry: TraceEntry) -> LiveEvent:
        describe = partial(_describe_match, trigger, entry, self.mask)
        return LiveEvent(EventKind.MATCH, trigger, None, describe)


def _describe_match(trigger: str, entry: TraceEntry, mask: Callable[[str], str]) -> Json:
    data: Json = {
        "at": entry.last,
        "trigger": trigger,
        "did": entry.action.value,
        "matches": entry.matches,
    }
    # A line that was clipped may end within a credential.
    end = ELLIPSIS if len(entry.line) >= LINE_CLIP else ""
    details: Json = {
        "line": mask(entry.line + end),
        "group": [mask(value) for value in entry.group] if any(entry.group) else [],
        "until": entry.until,
        "id": entry.notification_id,
        "detail": mask(entry.detail),
    }
    return data | {name: value for name, value in details.items() if value}


def _deliveries(state: State, outcomes: Iterable[Outcome], wall: float) -> Iterator[LiveEvent]:
    """Yield the outcomes of attempts, except those that an earlier worker reports late."""
    for outcome in outcomes:
        notification = state.notifications.get(outcome.id)
        if notification is not None:
            describe = partial(_describe_delivery, notification, outcome, wall)
            uid = _uid(notification)
            yield LiveEvent(EventKind.DELIVERY, notification.trigger, uid, describe)


def _describe_delivery(notification: Notification, outcome: Outcome, wall: float) -> Json:
    data: Json = {
        "at": wall,
        "id": notification.id,
        "trigger": notification.trigger,
        "title": notification.title,
        "attempt": notification.attempts,
        "outcome": outcome.kind.value,
        **(outcome.report or {}),
    }
    if outcome.reason:
        data["error"] = outcome.reason
    if outcome.kind not in _ENDED and outcome.pause:
        data["until"] = wall + outcome.pause
    return data


def _notifications(
    state: State, entries: Sequence[OutboxEntry], wall: float
) -> Iterator[LiveEvent]:
    """Yield the notifications of which a reader would see a change."""
    for notification, payload in ((each.notification, each.payload) for each in entries):
        before = state.notifications.get(notification.id)
        if before is None or _shown(before) != _shown(notification):
            describe = partial(_describe_notification, notification, payload, wall)
            kind, trigger = EventKind.NOTIFICATION, notification.trigger
            yield LiveEvent(kind, trigger, _uid(notification), describe)


def _shown(notification: Notification) -> tuple[object, ...]:
    return (
        notification.status,
        notification.attempts,
        notification.count,
        notification.priority,
        notification.title,
    )


def _describe_notification(
    notification: Notification, payload: Payload | None, wall: float
) -> Json:
    data: Json = {
        "at": wall,
        "id": notification.id,
        "status": notification.status.value,
        "trigger": notification.trigger,
        "priority": notification.priority.value,
        "count": notification.count,
        "attempts": notification.attempts,
        "created": notification.created,
        "title": notification.title,
    }
    if payload is not None:
        data["body"] = payload.body
    details: Json = {"key": notification.key, "merged_into": notification.merged_into}
    data |= {name: value for name, value in details.items() if value}
    peer = notification.peer
    if peer is not None:
        data |= {"client": "tcp"} if peer == TCP_PEER else {"uid": peer.uid, "pid": peer.pid}
    return data


def _uid(notification: Notification) -> int | None:
    return None if notification.peer is None else notification.peer.uid
