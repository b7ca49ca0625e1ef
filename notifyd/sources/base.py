"""Where events come from: one module per kind of source, each behind the same small protocol."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from notifyd.model.events import SourceBatch
from notifyd.model.health import SourceHealth

Emit = Callable[[SourceBatch], Awaitable[None]]
"""Hands a reading over; returns once it is committed."""


class Source(Protocol):
    """One kind of source with all its triggers.

    It is given its committed positions when it is made, and a wall clock for its events' times.
    """

    name: str

    async def run(self, emit: Emit) -> None:
        """Watch until cancelled; SourceError when it must be started anew.

        The first reading, maybe an empty one, says that whatever happens from now on is heard. One
        also comes, empty if need be, when `health` has other news than before: so nobody has to
        ask for them again and again.
        """
        ...

    def health(self) -> SourceHealth: ...
