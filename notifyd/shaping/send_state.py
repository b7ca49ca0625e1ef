"""When the next request may leave: the rate, pauses, the token's state, the one in flight.

The rate holds exactly, also across restarts: a request takes a slot from before it leaves until
`per` seconds after its outcome is known. However long it travels, the API never sees more than
`max` requests in any window of `per`.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import inf

from notifyd.model.events import Now
from notifyd.model.notifications import Notification
from notifyd.shaping.rules import Limit


class SendStatus(StrEnum):
    """Whether notifications are being sent, and what keeps them from it."""

    OK = "ok"
    WAITING = "waiting"
    REFUSED = "refused"
    ENDPOINT = "endpoint"


@dataclass(frozen=True, slots=True)
class SendState:
    """The state of sending. Times are seconds on the monotonic line.

    error: why the status is not ok, as a sentence; cause: the same as one word.
    no_device_reason: why the last accepted notification reached no device; empty if it did.
    backoff_until: no request leaves before; a new token or a retry ends it.
    retry_after_until: nor before this, which the API asked for and nothing cuts short.
    slots: when the outcomes of the last requests were known, the latest last.
    refused_since: since when the token is refused; 0 if it is not.
    last_forbidden: the notification with the last 403, if no other has been answered since.
    in_flight: the id of the notification that is being sent.
    """

    status: SendStatus = SendStatus.OK
    error: str = ""
    cause: str = ""
    no_device_reason: str = ""
    backoff_until: float = 0.0
    retry_after_until: float = 0.0
    consecutive_failures: int = 0
    slots: tuple[float, ...] = ()
    refused_since: float = 0.0
    last_forbidden: Notification | None = None
    in_flight: str = ""
    worker_free: bool = False

    def next_send_at(self, rate: Limit) -> float:
        """Return when the next request may leave; infinite while no worker is free."""
        if self.in_flight or not self.worker_free:
            return inf
        excess = len(self.slots) - rate.max
        slot_free_at = self.slots[excess] + rate.per if excess >= 0 else 0.0
        return max(self.paused_until, slot_free_at)

    @property
    def paused_until(self) -> float:
        return max(self.backoff_until, self.retry_after_until)

    def with_slot(self, now: Now, rate: Limit) -> tuple[float, ...]:
        """Return the slots with one taken now, and without those that no longer count."""
        return (*rate.within(self.slots, now.mono), now.mono)


def max_attempted(consecutive_failures: int) -> int:
    """Return how many notifications may have been attempted while none gets through.

    During an outage most must stay mergeable, yet one notification that always fails must not
    block the others: the number grows with the logarithm of the failures.
    """
    return max(1, (consecutive_failures + 1).bit_length() - 1)
