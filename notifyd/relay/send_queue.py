"""Sends that wait for the store: those that arrive during one transaction share the next."""

import asyncio
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple

import structlog

from notifyd.http.errors import HttpError
from notifyd.http.event_stream import OpenStreams
from notifyd.model.errors import StoreUnavailableError
from notifyd.relay import sends
from notifyd.relay.sends import DeliveryReport, Send, SendResult, StoreLimits
from notifyd.relay.store.base import RelayStore

log = structlog.get_logger()

_MOST = 100
"""Sends in one transaction."""

_COLLECTED = 0.003
"""Seconds to wait for more sends, if several shared the last transaction."""

_MOST_WAITING = 2000
"""Sends that wait for the store. More are refused, so that a slow disk does not fill the memory."""

_RETRY_AFTER = 2
"""Seconds after which a refused sender may try again."""

_PRUNE_SHARE = 100
"""A hundredth of what may be stored can arrive between two prunings."""


class _PendingSend(NamedTuple):
    send: Send
    result: asyncio.Future[SendResult]


class SendQueue:
    """Commits sends in batches, one after the other, and answers after the commit."""

    def __init__(
        self,
        store: RelayStore,
        pages: OpenStreams,
        limits: StoreLimits,
        wall: Callable[[], float],
        on_stored: Callable[[], None] = lambda: None,
    ) -> None:
        """on_stored: called when notifications have been committed."""
        self._on_stored = on_stored
        self._store = store
        self._pages = pages
        self._limits = limits
        self._wall = wall
        self._pending: deque[_PendingSend] = deque()
        self._arrived = asyncio.Event()
        self._unpruned = 0

    async def submit(self, send: Send) -> SendResult:
        """Return the result once it is on disk.

        Raise StoreUnavailableError if it cannot be stored, HttpError (503) if too many wait.
        """
        if len(self._pending) >= _MOST_WAITING:
            sentence = f"{_MOST_WAITING} notifications wait for the relay's database; send it again"
            headers = {"Retry-After": str(_RETRY_AFTER)}
            raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, "no_room", sentence, headers)
        pending = _PendingSend(send, asyncio.get_running_loop().create_future())
        self._pending.append(pending)
        self._arrived.set()
        return await pending.result

    async def run(self) -> None:
        """Commit what is submitted, until cancelled."""
        count = 0
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._pending:
                if 1 < count < _MOST:
                    await asyncio.sleep(_COLLECTED)
                count = min(len(self._pending), _MOST)
                await self._commit([self._pending.popleft() for _ in range(count)])

    async def _commit(self, batch: list[_PendingSend]) -> None:
        # A request that has ended was promised nothing.
        batch = [pending for pending in batch if not pending.result.done()]
        if not batch:
            return
        clients = self._pages.clients
        try:
            results = await self._store.run(
                sends.accept,
                [pending.send for pending in batch],
                pages=clients.count(None),
                page_devices=frozenset(name for name in clients if isinstance(name, str)),
                wall=self._wall(),
                limits=self._limits,
            )
        except Exception as error:  # noqa: BLE001 - each sender gets it, and the next are served
            if len(batch) > 1 and not isinstance(error, StoreUnavailableError):
                for pending in batch:  # one that fails must not take the others with it
                    await self._commit([pending])
                return
            for pending in batch:
                if not pending.result.done():
                    pending.result.set_exception(error)
            return
        for pending, result in zip(batch, results, strict=True):
            if not pending.result.done():
                pending.result.set_result(result)
        stored = sum(
            isinstance(result, DeliveryReport) and not result.is_repeat for result in results
        )
        if stored:
            self._pages.wake()
            self._on_stored()
            await self._prune(stored)

    async def _prune(self, stored: int) -> None:
        self._unpruned += stored
        if self._unpruned * _PRUNE_SHARE < self._limits.total:
            return
        # The next batch tries again. What is wrong with the store, its senders learn.
        try:
            await self._store.run(sends.prune, self._wall(), self._limits)
        except StoreUnavailableError:
            pass
        except Exception as error:  # noqa: BLE001 - sends must be stored all the same
            log.warning("cannot delete what is too old", error=repr(error))
        else:
            self._unpruned = 0
