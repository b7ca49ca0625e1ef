"""The budget: how many notifications of priority default and below a person gets.

Each source has a budget of its own, so that a busy one does not silence the others, and all
sources share a total. A notification is charged when it enters the outbox.
"""

from bisect import bisect_right
from typing import NamedTuple

from notifyd.model.notifications import SOCKET, TCP_PEER, Notification
from notifyd.shaping.rules import Budget

UNKNOWN_SOURCE = ""
"""The source of charges by earlier versions, which stored only their times."""
_TCP_SOURCE = "tcp"
_MOST_ABOVE_TOTAL = 1000
"""Sources without a recent charge that pass although the total is used up, at most."""

_LONGEST_PAUSE = 30.0
_LONGEST_DELAY = 120.0
"""A digest of what is over the budget is due this many seconds after the last and the first."""


class Charge(NamedTuple):
    """One charge to the budget. at: monotonic seconds. notification_id: what was charged."""

    at: float
    source: str = UNKNOWN_SOURCE
    notification_id: str = ""


def source_of(notification: Notification) -> str:
    """Return the source that a notification is charged to: its trigger, or its sender."""
    peer = notification.peer
    if notification.trigger != SOCKET or peer is None:
        return notification.trigger
    return _TCP_SOURCE if peer == TCP_PEER else f"{SOCKET}:{peer.uid}"


def current_charges(charges: tuple[Charge, ...], budget: Budget, now: float) -> tuple[Charge, ...]:
    """Return the charges that still count, oldest first."""
    return charges[bisect_right(charges, now, key=lambda charge: charge.at + budget.per) :]


def has_budget(charges: tuple[Charge, ...], budget: Budget, source: str) -> bool:
    """Whether a source may be charged once more. charges: the current ones.

    A source without a current charge may, even if the total is used up.
    """
    if len(charges) < min(budget.max, budget.total):
        return True
    own = sum(charge.source == source for charge in charges)
    if own:
        return own < budget.max and len(charges) < budget.total
    return len(charges) < budget.total + _MOST_ABOVE_TOTAL


def digest_due_at(first: float, now: float, not_before: float) -> float:
    """Return when the digest is due to which something is added now.

    first: when the digest began. not_before: when the pause since the last digest ends.
    """
    return max(not_before, min(first + _LONGEST_DELAY, now + _LONGEST_PAUSE))


def latest_digest_due(now: float, not_before: float) -> float:
    """Return by when a digest is due, whenever it began before now."""
    return max(not_before, now + _LONGEST_DELAY)
