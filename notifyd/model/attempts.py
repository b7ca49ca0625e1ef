"""One attempt to deliver a notification, and its outcome."""

from dataclasses import dataclass
from enum import StrEnum

from notifyd.model.notifications import Json

KEPT_IN_INBOX = "kept in the inbox"
"""Begins what a relay says of a notification that reached no device: nothing is wrong."""


@dataclass(frozen=True, slots=True)
class SendAttempt:
    """Permission to send one notification, already on disk as `attempting`.

    attempts: which attempt this is, from 1. failures: how many of its own came back for a retry.
    consecutive_failures: how often sending as a whole has failed in a row.
    """

    id: str
    attempts: int
    failures: int
    consecutive_failures: int


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
    """The result of an attempt.

    reason: in plain words, empty when it arrived. cause: the same as one word, out of a few
    hundred at most, for metrics and comparisons. pause: seconds for which nothing is sent.
    retry_after: seconds of them that the API asked for, which nothing may cut short.
    own_pause: seconds for which this notification lets others go first.
    report: the API's own figures.
    """

    id: str
    kind: OutcomeKind
    reason: str = ""
    pause: float = 0.0
    own_pause: float = 0.0
    report: Json | None = None
    cause: str = ""
    retry_after: float = 0.0
