"""What sources observe, and the values it becomes on its way to the fold."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

LINES_KEPT = 20
"""How many lines and paths a notification remembers of its matches."""


NO_FIELDS: Mapping[str, str] = {}
"""Shared, and read-only by its type: a plain dict, for the codec knows no other mapping."""


class Now(NamedTuple):
    """One reading of both clocks.

    mono: seconds on a line that never goes back and goes on over restarts and reboots.
    wall: seconds since the epoch, as the system has it.
    """

    mono: float
    wall: float


class AlertState(StrEnum):
    """What an event says of a condition that lasts, such as silence; most say nothing."""

    NONE = ""
    FIRING = "began"
    RESOLVED = "ended"


class Event(NamedTuple):
    """One thing a source saw, addressed to the trigger that asked for it.

    wall: when it was seen. line: how a person would read it. fields: the pattern's named groups.
    facts: what else is known, by the names that templates use (pid, name, exit_code, …).
    alert_state: a repeated one changes nothing.
    """

    trigger: str
    wall: float
    line: str
    path: str = ""
    fields: Mapping[str, str] = NO_FIELDS
    facts: Mapping[str, str] = NO_FIELDS
    alert_state: AlertState = AlertState.NONE


CheckpointUpdates = Mapping[str, str | None]
"""What a source must remember, by keys of its own choosing; None forgets a key."""


@dataclass(frozen=True, slots=True)
class SourceBatch:
    """What a source hands over at once: its events and the positions behind them, one commit.

    rereadable: after a crash the source can give the same events again (logs), so they may wait
    and be committed in bulk; otherwise they go ahead of everything that can.
    """

    events: tuple[Event, ...]
    positions: CheckpointUpdates
    rereadable: bool = False


class Match(NamedTuple):
    """An event that counts, and the group that it counts for."""

    group: tuple[str, ...]
    event: Event
