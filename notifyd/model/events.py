"""Events that sources observe, and what they become on the way to the fold."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

LINES_KEPT = 20
"""Lines and paths that a notification keeps of its matches."""


NO_FIELDS: Mapping[str, str] = {}
"""Shared by all events without fields; read-only by its type."""


ENDED_QUIETLY = "ended quietly"
"""As the fact `event`: a condition that has ended, whose end is not reported."""


class Now(NamedTuple):
    """One reading of both clocks.

    mono: seconds on a line that never goes back, and continues across restarts and reboots.
    wall: seconds since the epoch by the system's clock.
    """

    mono: float
    wall: float


FAILURE = 2
"""The severity of a failure, and of a critical state."""

_SEVERITIES = {"success": 0, "unknown": 0, "warning": 1, "failure": FAILURE, "critical": FAILURE}
"""Severity by the value of the fact `outcome`; any other value has the lowest."""


def severity_of(outcomes: Iterable[str]) -> int:
    """Return the highest severity among the outcomes: 0 if there are none."""
    return max((_SEVERITIES.get(outcome, 0) for outcome in outcomes), default=0)


class AlertState(StrEnum):
    """What an event says about a condition, such as silence. Most events say nothing."""

    NONE = ""
    FIRING = "began"
    RESOLVED = "ended"


class Event(NamedTuple):
    """What a source observed, for one trigger.

    wall: when it was observed. line: its text. fields: named groups of the pattern. facts: other
    values, by the names that templates use (pid, name, exit_code, …); `outcome` gives a severity.
    alert_state: a repeated one changes nothing, unless its severity is another.
    """

    trigger: str
    wall: float
    line: str
    path: str = ""
    fields: Mapping[str, str] = NO_FIELDS
    facts: Mapping[str, str] = NO_FIELDS
    alert_state: AlertState = AlertState.NONE

    @property
    def severity(self) -> int:
        """The severity of its outcome; 0 if it has none."""
        return severity_of((self.facts["outcome"],)) if "outcome" in self.facts else 0


CheckpointUpdates = Mapping[str, str | None]
"""Checkpoints to store, by keys of the source's own; None deletes one."""


@dataclass(frozen=True, slots=True)
class SourceBatch:
    """Events of a source, and the checkpoints behind them: both go into one commit.

    rereadable: the source can read the events again after a crash, as logs can. Such batches may
    wait, and are committed in bulk; all others go first.
    """

    events: tuple[Event, ...]
    checkpoints: CheckpointUpdates
    rereadable: bool = False


class Match(NamedTuple):
    """An event, and the values of the group that it counts for."""

    group: tuple[str, ...]
    event: Event
