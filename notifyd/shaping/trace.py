"""What each step of the shaping did with a trigger's last matches, for whoever asks why."""

from enum import StrEnum
from typing import NamedTuple

KEPT = 20
"""Entries of each trigger; what happens again and again is one entry."""
CLIP = 200
"""Characters kept of a line."""


class Action(StrEnum):
    """What became of matches at one step."""

    BELOW = "below_threshold"
    LAPSED = "lapsed"
    WAITING = "waiting"
    COOLING = "cooling"
    MUTED = "muted"
    BUDGET = "over_budget"
    FULL = "outbox_full"
    JOINED = "joined"
    QUEUED = "queued"
    HELD = "held"
    QUIET = "ended_while_muted"
    REMINDED = "reminded"
    UNTOLD = "not_told"


class TraceEntry(NamedTuple):
    """One step, or several alike. first, last: wall-clock times; until: one too, 0 for none.

    number: how many matches. detail: in words, where the step alone does not say it. id: of the
    notification that tells them.
    """

    did: Action
    first: float
    last: float
    number: int
    line: str = ""
    group: tuple[str, ...] = ()
    until: float = 0.0
    id: str = ""
    detail: str = ""


def extend(trail: list[TraceEntry], trace: TraceEntry) -> None:
    """Add a step; one that is like the last is counted there."""
    if trail:
        before = trail[-1]
        if before.did is trace.did and before.group == trace.group and before.id == trace.id:
            trail[-1] = TraceEntry(
                trace.did, before.first, trace.last, before.number + trace.number, *trace[4:]
            )
            return
    trail.append(trace)
    del trail[:-KEPT]
