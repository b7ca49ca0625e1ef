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
"""How many charges of sources without a current one may exceed the total."""

_DIGEST_DEBOUNCE = 30.0
_DIGEST_MAX_WAIT = 120.0
"""Seconds after the last and after the first notification over the budget: the earlier of the two
is when their digest is due."""


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


def digest_due_at(began_at: float, now: float, not_before: float) -> float:
    """Return when a digest is due if something is added to it now.

    began_at: when something was first added. not_before: when the pause since the last digest ends.
    """
    return max(not_before, min(began_at + _DIGEST_MAX_WAIT, now + _DIGEST_DEBOUNCE))


def latest_digest_due(now: float, not_before: float) -> float:
    """Return the latest time at which a digest that has begun is due."""
    return max(not_before, now + _DIGEST_MAX_WAIT)
