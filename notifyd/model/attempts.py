"""One attempt to deliver a notification, and its outcome."""

from dataclasses import dataclass
from enum import StrEnum

from notifyd.model.notifications import Json


@dataclass(frozen=True, slots=True)
class SendAttempt:
    """Permission to send one notification, already on disk as `attempting`.

    attempts: which attempt this is, from 1. failures: how many of its own came back for a retry.
    streak: how often sending as a whole has failed in a row.
    """

    id: str
    attempts: int
    failures: int
    streak: int


class OutcomeKind(StrEnum):
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
    verdict: OutcomeKind
    reason: str = ""
    pause: float = 0.0
    own_pause: float = 0.0
    report: Json | None = None
    cause: str = ""
    asked: float = 0.0
