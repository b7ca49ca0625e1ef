"""The values that travel between the rooms. Frozen, and made of the standard library alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

LINES_KEPT = 20
"""How many lines and paths a notification remembers of its matches."""


SOCKET = "socket"
"""The trigger's name of what came through the socket."""

NOTHING: Mapping[str, str] = {}
"""Shared, and read-only by its type: a plain dict, for the codec knows no other mapping."""

Json = dict[str, object]
"""A JSON object as `json.loads` gives it."""


class Now(NamedTuple):
    """One reading of both clocks.

    mono: seconds on a line that never goes back and goes on over restarts and reboots.
    wall: seconds since the epoch, as the system has it.
    """

    mono: float
    wall: float


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
    def waiting(self) -> bool:
        """Whether it may still be sent."""
        return self in _WAITING


_WAITING = frozenset({Status.HELD, Status.QUEUED, Status.ATTEMPTING})


# --- sources → triggers


class Phase(StrEnum):
    """What an event says of a condition that lasts, such as silence; most say nothing."""

    NONE = ""
    BEGAN = "began"
    ENDED = "ended"


class Event(NamedTuple):
    """One thing a source saw, addressed to the trigger that asked for it.

    wall: when it was seen. line: how a person would read it. fields: the pattern's named groups.
    facts: what else is known, by the names that templates use (pid, name, exit_code, …).
    phase: both may be said more often than they happen; what is known already changes nothing.
    """

    trigger: str
    wall: float
    line: str
    path: str = ""
    fields: Mapping[str, str] = NOTHING
    facts: Mapping[str, str] = NOTHING
    phase: Phase = Phase.NONE


Positions = Mapping[str, str | None]
"""What a source must remember, by keys of its own choosing; None forgets a key."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a source hands over at once: its events and the positions behind them, one commit.

    rereadable: after a crash the source can give the same events again (logs), so they may wait
    and be committed in bulk; otherwise they go ahead of everything that can.
    """

    events: tuple[Event, ...]
    positions: Positions
    rereadable: bool = False


# --- triggers → shaping


class Match(NamedTuple):
    """An event that counts, and the group that it counts for."""

    group: tuple[str, ...]
    event: Event


# --- shaping → outbox


class Course(StrEnum):
    """How a condition went, as one notification tells it."""

    NONE = ""
    BEGAN = "began"
    STILL = "still"
    ENDED = "ended"
    CAME_AND_WENT = "came and went"


@dataclass(frozen=True, slots=True)
class Tally:
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
    course: Course = Course.NONE
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


Content = Tally | Digest | Message


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end of the socket, by SO_PEERCRED; -1 where it cannot be known."""

    uid: int
    gid: int
    pid: int


@dataclass(frozen=True, slots=True)
class Row:
    """A notification in the outbox, without its text.

    created, expires: wall-clock seconds. release: not before this monotonic time.
    group: the shaping group whose later matches may join it while nobody has tried it.
    """

    id: str
    status: Status
    trigger: str
    priority: Priority
    count: int
    created: float
    expires: float
    release: float = 0.0
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
    def tried(self) -> bool:
        """Whether a byte of it may have left: then it is never merged, replaced or cancelled."""
        return self.attempts > 0


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that happened to the store and that a person must hear of, once.

    wall: when; it also tells incidents apart. told: a notification of it is in the outbox.
    """

    wall: float
    title: str
    sentence: str
    told: bool = False

    @property
    def key(self) -> str:
        return f"{self.wall:.3f}"


# --- outbox → delivery and back


@dataclass(frozen=True, slots=True)
class Order:
    """Permission to send one notification, already on disk as `attempting`.

    attempts: which attempt this is, from 1. failures: how many of its own came back for a retry.
    streak: how often sending as a whole has failed in a row.
    """

    id: str
    attempts: int
    failures: int
    streak: int


@dataclass(frozen=True, slots=True)
class Parcel:
    """What leaves: the request's JSON fields. `data` holds the caller's entries and ours."""

    id: str
    title: str
    body: str
    data: Json


class Verdict(StrEnum):
    """What an answer of the API means for the notification and for sending as a whole."""

    DELIVERED = "delivered"
    NO_DEVICE = "no_device"
    FAILED = "failed"
    FORBIDDEN = "forbidden"
    RETRY = "retry"
    REFUSED = "refused"
    ENDPOINT = "endpoint"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt.

    reason: in plain words, empty when it arrived. cause: the same as one word out of a few hundred
    at most, for metrics and for telling two reasons apart. pause: seconds for which nothing is
    sent. asked: seconds of them that the API itself asked for, which nothing may cut short.
    own_pause: seconds for which this one stands back when others may go first.
    report: the API's own figures.
    """

    id: str
    verdict: Verdict
    reason: str = ""
    pause: float = 0.0
    own_pause: float = 0.0
    report: Json | None = None
    cause: str = ""
    asked: float = 0.0
