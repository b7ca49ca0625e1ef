"""Notifications: their content, and their state in the outbox."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from notifyd.model.events import Event

SOCKET = "socket"
"""The trigger name of messages that came through the socket."""


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
    """The state of a notification in the outbox. The values are stored, and shown."""

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
    """What one notification reports about a condition. The values are stored, and shown."""

    NONE = ""
    FIRING = "began"
    STILL_FIRING = "still"
    RESOLVED = "ended"
    FIRED_AND_RESOLVED = "came and went"


@dataclass(frozen=True, slots=True)
class MatchSummary:
    """Matches counted together, for one notification. Times are wall-clock seconds.

    lines, paths: the last ones, at most LINES_KEPT. event: the last match, or the last one with the
    worst outcome. reminder: the number, from 1, of a reminder, which counts no matches. kinds,
    outcomes: how many matches have each value of the facts `event` and `outcome`. is_overflow: the
    matches are those of all groups beyond `max_groups`.
    """

    count: int
    first: float
    last: float
    first_line: str
    lines: tuple[str, ...]
    paths: tuple[str, ...]
    event: Event
    condition_report: ConditionReport = ConditionReport.NONE
    reminder: int = 0
    kinds: Mapping[str, int] = field(default_factory=dict)
    outcomes: Mapping[str, int] = field(default_factory=dict)
    is_overflow: bool = False


@dataclass(frozen=True, slots=True)
class Digest:
    """Notifications that were held back or never arrived, counted by trigger.

    reason: why, as one word. lines: some of what they said.
    """

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
    """A text that another program sent."""

    title: str
    body: str
    data: Json = field(default_factory=dict)


Content = MatchSummary | Digest | Message


@dataclass(frozen=True, slots=True)
class Peer:
    """The process at the other end of the socket, by SO_PEERCRED; -1 stands for unknown."""

    uid: int
    gid: int
    pid: int


TCP_PEER = Peer(uid=-1, gid=-1, pid=-1)
"""All clients of the TCP listener: one client, whose processes are unknown."""


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification in the outbox, without its text.

    created: wall-clock seconds. expires: monotonic seconds plus the `expiry_offset` of the
    state. not_before: monotonic seconds; not sent earlier.
    group: the key of the group whose later matches join it until its first attempt.
    report: what the API said about the delivery: delivered, failed, devices, errors.
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

    @property
    def was_attempted(self) -> bool:
        """Whether it may have been sent. If so, it is never merged, replaced or cancelled."""
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
    """The JSON fields of a request to the API. data: the sender's entries and our own."""

    id: str
    title: str
    body: str
    data: Json
