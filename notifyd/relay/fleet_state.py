"""The state of a workspace, from its last report and the time. Pure.

Times are wall-clock seconds of the relay.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

INTERVAL = 60.0
"""Seconds between two reports of a daemon that names no other interval."""

UPDATE_LIMIT = 900.0
"""Seconds that an announced update may take; after that, silence counts as for any other."""

LONGEST_QUIET = 3600.0
"""Seconds after an outage of the relay for which nobody is called missing, at most."""

OUTAGE = 60.0
"""Seconds without a look at the fleet that count as an outage of the relay."""

_INTERVALS, _JITTER = 3, 1.1
_LONG_WAIT = 600.0
"""Age in seconds of the oldest waiting notification that is a warning."""

_FAILING = {
    "store_unavailable": "database not writable",
    "token_refused": "token refused",
    "endpoint_wrong": "endpoint refuses requests",
    "source_dead": "a source has ended",
}
_BAD_OUTCOMES = frozenset({"failure", "critical"})


class WorkspaceState(StrEnum):
    """From the worst to the least urgent."""

    MISSING = "missing"
    FAILING = "failing"
    WARNING = "warning"
    UPDATING = "updating"
    OK = "ok"
    ASLEEP = "asleep"
    EPHEMERAL = "ephemeral"


class Announcement(StrEnum):
    """What a daemon says of the time that follows; NONE: it will report again."""

    NONE = ""
    STARTED = "started"
    AWAKE = "awake"
    STOPPING = "stopping"
    UPDATING = "updating"
    SLEEPING = "sleeping"


_RESTING = frozenset({Announcement.STOPPING, Announcement.SLEEPING})


class WorstTrigger(NamedTuple):
    """The condition that is firing with the worst outcome. since: by the daemon's clock."""

    trigger: str
    since: float
    outcome: str


@dataclass(frozen=True, slots=True)
class FleetReport:
    """What a daemon says of itself.

    state: one word, as in its status. waiting: notifications in its outbox; oldest_age: seconds
    that the oldest has waited. token: state of the send token. problems: of its sources. slept:
    seconds of a gap that has just ended.
    """

    version: str = ""
    host: str = ""
    state: str = "ok"
    announcement: Announcement = Announcement.NONE
    interval: float = INTERVAL
    waiting: int = 0
    oldest_age: float = 0.0
    token: str = "ok"  # noqa: S105 - its state
    worst: WorstTrigger | None = None
    problems: int = 0
    slept: float = 0.0


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace as it is stored.

    due_at: from when on silence means that it is missing; None: never. is_ephemeral: it comes and
    goes, so it is never missing. paused_until: no notification about it before.
    """

    workspace_id: str
    report: FleetReport
    reported_at: float
    due_at: float | None
    is_ephemeral: bool = False
    paused_until: float | None = None


def due_time(report: FleetReport, reported_at: float) -> float | None:
    """Return from when on silence means that a workspace is missing; None: never."""
    if report.announcement in _RESTING:
        return None
    if report.announcement is Announcement.UPDATING:
        return reported_at + UPDATE_LIMIT
    return reported_at + allowed_silence(report.interval)


def allowed_silence(interval: float = INTERVAL) -> float:
    """Return the seconds without a report after which a workspace is missing."""
    return _INTERVALS * interval * _JITTER


def quiet_time(alive_at: float, now: float) -> float:
    """Return until when nobody may be called missing. alive_at: when a relay last looked.

    After an outage of the relay, its length must pass again: who was to report meanwhile could not.
    """
    outage = now - alive_at
    if outage <= OUTAGE:
        return alive_at
    return now + min(max(outage, allowed_silence()), LONGEST_QUIET)


def derive_state(workspace: Workspace, now: float, quiet_until: float = 0.0) -> WorkspaceState:
    """Return the state of a workspace. quiet_until: nobody is missing before."""
    is_due = workspace.due_at is None or now >= workspace.due_at
    if is_due and workspace.is_ephemeral:
        return WorkspaceState.EPHEMERAL
    if workspace.due_at is None:
        return WorkspaceState.ASLEEP
    if is_due and now >= quiet_until:
        return WorkspaceState.MISSING
    if workspace.report.announcement is Announcement.UPDATING:
        return WorkspaceState.UPDATING
    return _reported_state(workspace.report)


def find_reasons(report: FleetReport) -> list[str]:
    """Return what keeps a report from being ok, the worst first."""
    reasons = [_FAILING.get(report.state, "")]
    if report.token != "ok" and report.state != "token_refused":  # noqa: S105 - its state
        reasons.append(f"token {report.token}")
    if report.worst is not None:
        reasons.append(f"{report.worst.trigger}: {report.worst.outcome or 'firing'}")
    if report.oldest_age > _LONG_WAIT:
        reasons.append(f"notifications wait for {_minutes(report.oldest_age)}")
    if report.problems:
        reasons.append("1 problem" if report.problems == 1 else f"{report.problems} problems")
    return [reason for reason in reasons if reason]


def _reported_state(report: FleetReport) -> WorkspaceState:
    is_failing = report.state in _FAILING or report.token != "ok"  # noqa: S105 - its state
    if is_failing or (report.worst is not None and report.worst.outcome in _BAD_OUTCOMES):
        return WorkspaceState.FAILING
    return WorkspaceState.WARNING if find_reasons(report) else WorkspaceState.OK


def _minutes(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{round(seconds / 3600)} h"  # noqa: PLR2004 - 2 h
