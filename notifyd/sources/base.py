"""What every source implements and uses. Each kind of source has a package of its own."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import islice
from typing import Protocol, TypeVar

from notifyd.model.events import SourceBatch
from notifyd.model.health import SourceHealth

T = TypeVar("T")

Emit = Callable[[SourceBatch], Awaitable[None]]
"""Hands over a batch; returns once it is committed."""


class Source(Protocol):
    """One kind of source with all its triggers.

    An implementation is created with its committed checkpoints and a wall clock.
    """

    name: str

    async def run(self, emit: Emit) -> None:
        """Watch until cancelled. SourceError if the source has to be restarted.

        The first batch, which may be empty, says that no later event is missed. A batch, empty if
        need be, also follows each change of `health().changed_key`, so nobody has to poll it.
        """
        ...

    def health(self) -> SourceHealth: ...


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Iterate lazily over lists of at most `size` items."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
