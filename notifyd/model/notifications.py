"""What the fold decides to send: notifications, their content and their state in the outbox."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from notifyd.model.events import Event

SOCKET = "socket"
"""The trigger's name of what came through the socket."""


Json = dict[str, object]
"""A JSON object as `json.loads` gives it."""


class Priority(StrEnum):
    MIN = "min"
    LOW = "low"
    DEFAULT = "default"
    HIGH = "high"
    URGENT = "urgent"

    @property
    def rank(self) -> int:
        """0 for min up to 4 for urgent."""
        return _RANKS[self]


_RANKS = {priority: rank for rank, priority in enumerate(Priority)}


class Status(StrEnum):
    """Where a notification stands in the outbox."""

    HELD = "held"
    QUEUED = "queued"
    ATTEMPTING = "attempting"
    DELIVERED = "delivered"
    NO_DEVICE = "no_device"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    REPLACED = "replaced"
    MERGED = "merged"

    @property
    def is_waiting(self) -> bool:
        """Whether it may still be sent."""
        return self in _WAITING


_WAITING = frozenset({Status.HELD, Status.QUEUED, Status.ATTEMPTING})


class ConditionReport(StrEnum):
    """How a condition went, as one notification tells it."""

    NONE = ""
    FIRING = "began"
    STILL_FIRING = "still"
    RESOLVED = "ended"
    FIRED_AND_RESOLVED = "came and went"


@dataclass(frozen=True, slots=True)
class MatchSummary:
    """Matches counted together, as one notification tells them. Times are wall-clock seconds.

    reminder: which one it is, from 1, of a condition that still lasts; it counts nothing anew.
    """

    count: int
    first: float
    last: float
    first_line: str
    lines: tuple[str, ...]
    paths: tuple[str, ...]
    event: Event
    """The latest match."""
    condition_report: ConditionReport = ConditionReport.NONE
    reminder: int = 0


@dataclass(frozen=True, slots=True)
class Digest:
    """What was held back or never arrived, counted by trigger."""

    reason: str
    counts: Mapping[str, int]
    first: float
    last: float
    lines: tuple[str, ...]

    @property
    def count(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Message:
    """Text that somebody wrote, through the socket."""

    title: str
    body: str
    data: Json = field(default_factory=dict)


Content = MatchSummary | Digest | Message


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of the socket, by SO_PEERCRED; -1 where it cannot be known."""

    uid: int
    gid: int
    pid: int


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification in the outbox, without its text.

    created, expires: wall-clock seconds. not_before: monotonic seconds; not sent earlier.
    group: the shaping group whose later matches may join it while nobody has tried it.
    """

    id: str
    status: Status
    trigger: str
    priority: Priority
    count: int
    created: float
    expires: float
    not_before: float = 0.0
    attempts: int = 0
    failures: int = 0
    group: str = ""
    key: str = ""
    peer: Peer | None = None
    title: str = ""
    last_error: str = ""
    merged_into: str = ""
    report: Json | None = None
    """What the API said of the delivery: delivered, failed, devices, errors."""

    @property
    def was_attempted(self) -> bool:
        """Whether a byte of it may have left: then it is never merged, replaced or cancelled."""
        return self.attempts > 0


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that happened to the store and is reported to a person once.

    wall: when; it also identifies the incident. reported: its notification is in the outbox.
    """

    wall: float
    title: str
    message: str
    reported: bool = False

    @property
    def key(self) -> str:
        return f"{self.wall:.3f}"

    @property
    def entry(self) -> tuple[str, str]:
        """The name and the value of its entry in the store, in the fold's storage format."""
        value = {
            "wall": self.wall,
            "title": self.title,
            "sentence": self.message,
            "told": self.reported,
        }
        return f"incident:{self.key}", json.dumps(value)


@dataclass(frozen=True, slots=True)
class Payload:
    """What leaves: the request's JSON fields. `data` holds the caller's entries and ours."""

    id: str
    title: str
    body: str
    data: Json
