"""What the shaping did with the last matches of each trigger, for `notifyd explain`."""

from enum import StrEnum
from typing import NamedTuple

ENTRIES_KEPT = 20
"""Entries kept of each trigger. Equal steps in a row share one entry."""
LINE_CLIP = 200
"""Characters kept of a line."""


class Action(StrEnum):
    """What one step did with matches. The values are stored, and part of the local API."""

    BELOW_THRESHOLD = "below_threshold"
    LAPSED = "lapsed"
    DEBOUNCING = "waiting"
    COOLING_DOWN = "cooling"
    MUTED = "muted"
    OVER_BUDGET = "over_budget"
    OUTBOX_FULL = "outbox_full"
    JOINED = "joined"
    QUEUED = "queued"
    HELD = "held"
    ENDED_WHILE_MUTED = "ended_while_muted"
    CONFIRMING = "confirming"
    NOT_CONFIRMED = "not_confirmed"
    REMINDED = "reminded"
    NOT_REPORTED = "not_told"
    AWAITING_ANSWER = "awaiting_answer"
    ANSWERED = "answered"
    WITHDRAWN = "withdrawn"
    ANSWERED_LATE = "answered_late"
    IGNORED = "ignored"


class TraceEntry(NamedTuple):
    """One step, or several equal ones in a row. Times are wall-clock seconds.

    until: when the state that the action began ends; 0 for never. detail: more than the action
    says, in words. notification_id: the notification with these matches.
    """

    action: Action
    first: float
    last: float
    matches: int
    line: str = ""
    group: tuple[str, ...] = ()
    until: float = 0.0
    notification_id: str = ""
    detail: str = ""


def append_entry(trace: list[TraceEntry], entry: TraceEntry) -> None:
    """Append an entry, or add its matches to the last one if that is of the same step."""
    if trace:
        last = trace[-1]
        if _is_same_step(last, entry):
            matches = last.matches + entry.matches
            trace[-1] = TraceEntry(entry.action, last.first, entry.last, matches, *entry[4:])
            return
    trace.append(entry)
    del trace[:-ENTRIES_KEPT]


def _is_same_step(last: TraceEntry, entry: TraceEntry) -> bool:
    if last.action is Action.IGNORED and last.detail != entry.detail:
        return False
    return (last.action, last.group, last.notification_id) == (
        entry.action,
        entry.group,
        entry.notification_id,
    )
