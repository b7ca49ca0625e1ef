"""Hands notifications over to devices: bounded, one at a time for each device, until it works."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping

import structlog

from notifyd.http.event_stream import OpenStreams
from notifyd.model.errors import StoreUnavailableError
from notifyd.relay import deliveries
from notifyd.relay.deliveries import Delivery, DeliveryResult, DeliveryStatus
from notifyd.relay.devices import DeviceKind
from notifyd.relay.store.base import RelayStore

log = structlog.get_logger()

Send = Callable[[Delivery], Awaitable[DeliveryResult]]
"""Makes one attempt within `_LEASE` seconds."""

_AT_ONCE = 16
"""Attempts at once; each is for another device."""
_LEASE = 60.0
"""Seconds for which a device belongs to one relay."""
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 3600.0
_LONGEST_WAIT = 15.0
"""Seconds after which the store is looked at anyway: another relay may have stored something."""
_STORE_PAUSE = 1.0
"""Seconds after a failure of the store."""


class DeliveryWorker:
    """send: makes one attempt, for each kind of device.

    is_alone: whether no other relay uses the database, so that what an earlier process had begun
    need not wait for the end of its lease.
    """

    def __init__(
        self,
        store: RelayStore,
        pages: OpenStreams,
        send: Mapping[DeviceKind, Send],
        wall: Callable[[], float],
        *,
        is_alone: bool,
    ) -> None:
        self._store = store
        self._pages = pages
        self._send = send
        self._wall = wall
        self._is_alone = is_alone
        self._running = 0
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """Look at once for what is to be handed over."""
        self._changed.set()

    async def run(self) -> None:
        """Hand over what there is, until cancelled. What was begun is begun again later."""
        async with asyncio.TaskGroup() as group:
            is_released = not self._is_alone
            while True:
                self._changed.clear()
                try:
                    if not is_released:
                        await self._store.run(deliveries.release_all)
                        is_released = True
                    pause = await self._start_due(group)
                except StoreUnavailableError as error:
                    log.warning("notifications for devices wait", reason=str(error))
                    pause = _STORE_PAUSE
                except Exception:  # the next round may find it in order
                    log.exception("looking for what to hand over failed")
                    pause = _LONGEST_WAIT
                await self._wait(pause)

    async def _start_due(self, group: asyncio.TaskGroup) -> float:
        """Start what is due and has room; return the seconds until there may be more."""
        while (free := _AT_ONCE - self._running) > 0:
            due = await self._store.read(deliveries.next_due)
            now = self._wall()
            if due is None or due > now:
                return _LONGEST_WAIT if due is None else min(due - now, _LONGEST_WAIT)
            claimed = await self._store.run(deliveries.claim, free, _LEASE, now)
            if not claimed:
                return _STORE_PAUSE
            for delivery in claimed:
                self._running += 1
                group.create_task(self._deliver(delivery))
        return _LONGEST_WAIT

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            pass

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            result = await self._send[delivery.kind](delivery)
        except Exception as error:  # a fault with one device must not end the others
            log.exception("delivery failed", device=delivery.device_name)
            result = DeliveryResult(DeliveryStatus.RETRY, type(error).__name__)
        try:
            await self._save(delivery, result)
        except StoreUnavailableError as error:
            # It is sent again when the lease is over.
            log.warning("the outcome of a delivery cannot be stored", reason=str(error))
        finally:
            self._running -= 1
            self._changed.set()

    async def _save(self, delivery: Delivery, result: DeliveryResult) -> None:
        store, wall, reason = self._store, self._wall(), result.reason
        about = {"device": delivery.device_name, "reason": reason}
        match result.status:
            case DeliveryStatus.DONE:
                await store.run(deliveries.finish, delivery, wall)
                if delivery.failures:
                    log.info("device reached again", device=delivery.device_name)
            case DeliveryStatus.RETRY:
                await store.run(
                    deliveries.postpone,
                    delivery,
                    reason,
                    retry_at=wall + max(backoff(delivery.attempts), result.wait),
                    device_retry_at=wall + max(backoff(delivery.failures), result.wait),
                )
                if not delivery.failures:
                    log.warning("device not reached; retrying for 24 hours", **about)
            case DeliveryStatus.REFUSED:
                await store.run(deliveries.fail, delivery, reason)
                log.warning("notification not delivered to a device", **about)
                self._pages.wake()
            case DeliveryStatus.GONE:
                await store.run(deliveries.drop_device, delivery, reason)
                log.warning("device removed", **about)
                self._pages.wake()


def backoff(failures: int) -> float:
    """Return the seconds to wait after so many earlier failures in a row; never twice the same."""
    longest = min(_FIRST_PAUSE * 2.0 ** min(failures, 20), _LONGEST_PAUSE)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load
