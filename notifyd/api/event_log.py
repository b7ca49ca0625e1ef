"""The last events of this run of the daemon, for those who follow them.

An event's id is `RUN-NUMBER`: a random word for the run of the daemon, and a number from 1.
"""

import secrets
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import islice

from notifyd.model.notifications import Json

EVENTS_KEPT = 1000
"""Events that a client may still get when it comes back."""


class EventKind(StrEnum):
    """What an event is about. The values are part of the local API."""

    MATCH = "match"
    NOTIFICATION = "notification"
    DELIVERY = "delivery"


@dataclass(eq=False)
class LiveEvent:
    """uid: the user it belongs to; None if it is nobody's own, so only admins see it.

    describe: returns its data. It is called when a client gets the event, as most are never read.
    """

    kind: EventKind
    trigger: str
    uid: int | None
    describe: Callable[[], Json]

    @cached_property
    def data(self) -> Json:
        return self.describe()


class GapReason(StrEnum):
    """Why events may be missing between two that a client gets."""

    RESTARTED = "restarted"
    TOO_OLD = "too_old"
    UNKNOWN_ID = "unknown_id"


class EventLog:
    """Keeps the last events, and wakes those who follow them. No I/O.

    newest: the number of the last event; 0 before the first. cuts: how often `end_streams` was
    called.
    """

    def __init__(self, run: str = "") -> None:
        self.run = run or secrets.token_hex(4)
        self.newest = self.cuts = 0
        self._events: deque[LiveEvent] = deque(maxlen=EVENTS_KEPT)
        self._followers: list[Callable[[], None]] = []

    def publish(self, events: Iterable[LiveEvent]) -> None:
        """Append events that are on disk."""
        before = self.newest
        for event in events:
            self._events.append(event)
            self.newest += 1
        if self.newest != before:
            self._wake()

    def end_streams(self) -> None:
        """Let those who follow come back, because who may follow has changed."""
        self.cuts += 1
        self._wake()

    def _wake(self) -> None:
        for wake in self._followers:
            wake()

    @contextmanager
    def follow(self, wake: Callable[[], None]) -> Iterator[None]:
        """Call `wake` while inside whenever there is something new. It must not block."""
        self._followers.append(wake)
        try:
            yield
        finally:
            self._followers.remove(wake)

    def event_id(self, number: int) -> str:
        return f"{self.run}-{number}"

    def resume(self, last_id: str) -> tuple[int, GapReason | None]:
        """Return the number after which a client goes on, and why events may be missing.

        last_id: of the last event that it got; empty if it begins now.
        """
        if not last_id:
            return self.newest, None
        run, _, number = last_id.rpartition("-")
        is_number = number.isascii() and number.isdecimal() and len(number) <= len(str(self.newest))
        if run != self.run:
            return self._before_oldest, GapReason.RESTARTED if run else GapReason.UNKNOWN_ID
        if not is_number or int(number) > self.newest:
            return self._before_oldest, GapReason.UNKNOWN_ID
        if self.has_lost(int(number)):
            return self._before_oldest, GapReason.TOO_OLD
        return int(number), None

    def has_lost(self, number: int) -> bool:
        """Whether events after this one are no longer kept."""
        return number < self._before_oldest

    def after(self, number: int, limit: int) -> list[tuple[int, LiveEvent]]:
        """Return events after this one with their numbers, oldest first."""
        first = max(number, self._before_oldest)
        found = islice(self._events, first - self._before_oldest, None)
        return list(enumerate(islice(found, limit), first + 1))

    @property
    def _before_oldest(self) -> int:
        return self.newest - len(self._events)
