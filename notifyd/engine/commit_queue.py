"""What waits to be committed, in two lanes: what cannot be read again goes ahead of what can."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from notifyd.model.errors import StoreUnavailableError
from notifyd.model.events import CheckpointUpdates
from notifyd.shaping.inputs import Input
from notifyd.shaping.state import Reply

_BATCH = 500
"""Events folded at once: bounds the time for which the loop does nothing else."""


@dataclass(slots=True, eq=False)
class PendingCommit:
    """Events and positions that belong into one commit, and who waits for it.

    refusable: the asker can be told that there is no room on the disk, and asks again.
    """

    inputs: Sequence[Input]
    positions: CheckpointUpdates
    refusable: bool
    committed: asyncio.Future[list[Reply | None]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def refuse(self, error: Exception) -> None:
        if not self.committed.done():
            self.committed.set_exception(error)


class CommitQueue:
    def __init__(self) -> None:
        self._ahead: deque[PendingCommit] = deque()
        self._bulk: deque[PendingCommit] = deque()

    def __bool__(self) -> bool:
        return bool(self._ahead or self._bulk)

    def put(self, offer: PendingCommit, *, rereadable: bool = False) -> None:
        (self._bulk if rereadable else self._ahead).append(offer)

    def take(self) -> list[PendingCommit]:
        """Take as many as are folded together; at least one, if there is any."""
        offers: list[PendingCommit] = []
        size = 0
        for lane in (self._ahead, self._bulk):
            while lane and (not offers or size + len(lane[0].inputs) <= _BATCH):
                offers.append(lane.popleft())
                size += len(offers[-1].inputs)
        return offers

    def refuse(self, sentence: str) -> None:
        """Refuse those whose askers can ask again, and keep the others."""
        self._ahead = deque(refused(self._ahead, sentence))
        self._bulk = deque(refused(self._bulk, sentence))

    def end(self, sentence: str) -> None:
        """Refuse all of them."""
        for offer in (*self._ahead, *self._bulk):
            offer.refuse(StoreUnavailableError(sentence))


def refused(offers: Iterable[PendingCommit], sentence: str) -> list[PendingCommit]:
    """Refuse those that can be, each with an error of its own; returns the others."""
    kept = []
    for offer in offers:
        if offer.refusable:
            offer.refuse(StoreUnavailableError(sentence))
        else:
            kept.append(offer)
    return kept
