"""The gate before the API: the rate over any window, pauses, the token's state, what is in flight.

The window is kept exactly, and over restarts: a slot is taken from before a request leaves until
`per` seconds after its outcome is known, so however long a request travels, the API never sees
more than `max` in any window of `per`.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import inf

from notifyd.model.events import Now
from notifyd.model.notifications import Notification
from notifyd.shaping.rules import Limit


class SendStatus(StrEnum):
    """How sending is, for status and health."""

    OK = "ok"
    WAITING = "waiting"
    REFUSED = "refused"
    ENDPOINT = "endpoint"


@dataclass(frozen=True, slots=True)
class SendState:
    """resume: nothing leaves before this monotonic time. streak: failures in a row.

    hold: nor before this one, which the API itself asked for: nothing cuts it short.
    error: why it is not ok, as a sentence; cause: the same as one word.
    nobody: why the last notification that the API took reached no device; empty if it did.
    slots: when the last requests' outcomes were known, the latest last. refused_since: 0 if the
    token is not refused, monotonic as all these times are.
    forbidden: the notification that got the last 403, while nothing else has been answered since.
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
        """When the next request may leave; infinite while one is in flight or nobody could."""
        if self.in_flight or not self.worker_free:
            return inf
        taken = len(self.slots) - rate.max
        room = self.slots[taken] + rate.per if taken >= 0 else 0.0
        return max(self.paused_until, room)

    @property
    def paused_until(self) -> float:
        return max(self.backoff_until, self.retry_after_until)

    def with_slot(self, now: Now, rate: Limit) -> tuple[float, ...]:
        """Take a slot; those that no window can hold any more are forgotten."""
        return (*rate.within(self.slots, now.mono), now.mono)


def max_attempted(consecutive_failures: int) -> int:
    """How many notifications may have been tried while nothing gets through.

    An outage must not use up rows that could still be merged, and one poisonous notification must
    not hold up the rest: so ever more rows get a try, but only with the logarithm of the failures.
    """
    return max(1, (consecutive_failures + 1).bit_length() - 1)
