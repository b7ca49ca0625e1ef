"""What each step of the shaping did with a trigger's last matches, for whoever asks why."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

KEPT = 20
"""Entries of each trigger; what happens again and again is one entry."""
_CLIP = 200


class Did(StrEnum):
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


class Trace(NamedTuple):
    """One step, or several alike. first, last: wall-clock times; until: one too, 0 for none.

    number: how many matches. detail: in words, where the step alone does not say it. id: of the
    notification that tells them.
    """

    did: Did
    first: float
    last: float
    number: int
    line: str = ""
    group: tuple[str, ...] = ()
    until: float = 0.0
    id: str = ""
    detail: str = ""


def extended(trail: Sequence[Trace], trace: Trace) -> list[Trace]:
    """Add a step; one that is like the last is counted there."""
    trace = trace._replace(line=trace.line[:_CLIP])
    before = trail[-1] if trail else None
    if before and (before.did, before.group, before.id) == (trace.did, trace.group, trace.id):
        merged = trace._replace(first=before.first, number=before.number + trace.number)
        return [*trail[:-1], merged]
    return [*trail[-KEPT + 1 :], trace]
