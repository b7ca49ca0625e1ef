"""Events that wait for a commit. Events that cannot be read again go ahead of those that can."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from notifyd.model.errors import ShuttingDownError, StoreUnavailableError
from notifyd.model.events import CheckpointUpdates
from notifyd.shaping.inputs import Input
from notifyd.shaping.state import Reply

_MAX_BATCH = 500
"""Events folded in one step: bounds how long the event loop is busy with it."""


@dataclass(slots=True, eq=False)
class PendingCommit:
    """Events and checkpoint updates that belong in one commit.

    fail_fast: fail while the database cannot be written, because the caller can ask again.
    committed: resolves to one reply per event once all of it is on disk.
    """

    events: Sequence[Input]
    checkpoints: CheckpointUpdates
    fail_fast: bool
    committed: asyncio.Future[list[Reply | None]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def fail(self, error: Exception) -> None:
        if not self.committed.done():
            self.committed.set_exception(error)


class CommitQueue:
    def __init__(self) -> None:
        self._urgent: deque[PendingCommit] = deque()
        self._rereadable: deque[PendingCommit] = deque()

    def __bool__(self) -> bool:
        return bool(self._urgent or self._rereadable)

    def put(self, pending: PendingCommit, *, rereadable: bool = False) -> None:
        """Append to the queue. rereadable: after a crash, the source can read the events again."""
        (self._rereadable if rereadable else self._urgent).append(pending)

    def take_batch(self) -> list[PendingCommit]:
        """Remove and return what one commit holds; empty only if the queue is empty."""
        batch: list[PendingCommit] = []
        size = 0
        for queue in (self._urgent, self._rereadable):
            while queue and (not batch or size + len(queue[0].events) <= _MAX_BATCH):
                batch.append(queue.popleft())
                size += len(batch[-1].events)
        return batch

    def reject_fail_fast(self, reason: str) -> None:
        """Fail the commits whose callers can ask again; keep the others."""
        self._urgent = deque(reject_fail_fast(self._urgent, reason))
        self._rereadable = deque(reject_fail_fast(self._rereadable, reason))

    def close(self, reason: str) -> None:
        """Fail all commits that are left: the engine is shutting down."""
        for pending in (*self._urgent, *self._rereadable):
            pending.fail(ShuttingDownError(reason))


def reject_fail_fast(batch: Iterable[PendingCommit], reason: str) -> list[PendingCommit]:
    """Fail the commits whose callers can ask again, each with its own error; return the others."""
    kept = []
    for pending in batch:
        if pending.fail_fast:
            pending.fail(StoreUnavailableError(reason))
        else:
            kept.append(pending)
    return kept
