"""Pings: what a job says of itself, for a heartbeat."""

from dataclasses import dataclass
from enum import StrEnum

OUTPUT_KEPT = 1500
"""Characters at the end of a job's output that are kept and shown."""


class PingSignal(StrEnum):
    """What a ping says. The values are stored, and part of the local API."""

    START = "start"
    SUCCESS = "success"
    FAIL = "fail"
    LOG = "log"


@dataclass(frozen=True, slots=True)
class Ping:
    """One ping of a heartbeat.

    run: pairs the start and the end of a run; empty if the job does not name its runs.
    exit_status: of the job, if it gave one. output: text of the job, whose end is kept.
    """

    heartbeat: str
    signal: PingSignal = PingSignal.SUCCESS
    run: str = ""
    exit_status: int | None = None
    output: str = ""
