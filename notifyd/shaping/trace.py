"""What each step of the shaping did with a trigger's last matches, for whoever asks why."""

from enum import StrEnum
from typing import NamedTuple

ENTRIES_KEPT = 20
"""Entries of each trigger; what happens again and again is one entry."""
LINE_CLIP = 200
"""Characters kept of a line."""


class Action(StrEnum):
    """What became of matches at one step."""

    BELOW_THRESHOLD = "below_threshold"
    LAPSED = "lapsed"
    DEBOUNCING = "waiting"
    COOLING = "cooling"
    MUTED = "muted"
    OVER_BUDGET = "over_budget"
    OUTBOX_FULL = "outbox_full"
    JOINED = "joined"
    QUEUED = "queued"
    HELD = "held"
    ENDED_WHILE_MUTED = "ended_while_muted"
    REMINDED = "reminded"
    NOT_REPORTED = "not_told"


class TraceEntry(NamedTuple):
    """One step, or several alike. first, last: wall-clock times; until: one too, 0 for none.

    number: how many matches. detail: in words, where the step alone does not say it. id: of the
    notification that tells them.
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


def append_entry(trail: list[TraceEntry], trace: TraceEntry) -> None:
    """Add a step; one that is like the last is counted there."""
    if trail:
        before = trail[-1]
        if (
            before.action is trace.action
            and before.group == trace.group
            and before.notification_id == trace.notification_id
        ):
            trail[-1] = TraceEntry(
                trace.action, before.first, trace.last, before.matches + trace.matches, *trace[4:]
            )
            return
    trail.append(trace)
    del trail[:-ENTRIES_KEPT]
