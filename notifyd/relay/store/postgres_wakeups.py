"""LISTEN and NOTIFY between the relays of one database.

They only say when to look again. They may be lost when a connection breaks, are silent on one that
has died unnoticed, and never pass a proxy that pools transactions. So each relay notifies itself to
see whether they arrive, and looks on its own as well: now and then, and often while they do not.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import structlog

from notifyd.model.errors import StoreUnavailableError

CHANNEL = "notifyd_relay"

_COALESCED = 0.01
"""Seconds in which all changes share one notification."""

_LOOK_EVERY = 5.0
_POLL_EVERY = 1.0
"""Seconds between two looks for changes: while notifications arrive, and while they do not."""

_PROBE_EVERY = 10.0
_PROBE_TIMEOUT = 5.0
"""Seconds between two notifications to oneself, and until one counts as lost."""

_RECONNECT_AFTER = 2.0

_log = structlog.get_logger()


class Wakeups:
    """What this relay says to the others, and hears from them."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Any]],
        notify: Callable[[str], Awaitable[None]],
    ) -> None:
        """connect: opens a connection to listen on. notify: sends a payload to all that listen."""
        self._connect = connect
        self._notify = notify
        self._id = secrets.token_hex(8)
        self._changed = asyncio.Event()
        self._is_polling = False

    def announce(self) -> None:
        """Let the others look: something was committed."""
        self._changed.set()

    async def run(
        self, wake: Callable[[], None], position: Callable[[], Awaitable[object]]
    ) -> None:
        """Announce, listen and look until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._send())
            group.create_task(self._listen(wake))
            group.create_task(self._look(wake, position))

    async def _send(self) -> None:
        while True:
            await self._changed.wait()
            await asyncio.sleep(_COALESCED)
            self._changed.clear()
            with suppress(StoreUnavailableError):  # the others look on their own
                await self._notify(self._id)

    async def _look(
        self, wake: Callable[[], None], position: Callable[[], Awaitable[object]]
    ) -> None:
        known: object = None
        while True:
            await asyncio.sleep(_POLL_EVERY if self._is_polling else _LOOK_EVERY)
            with suppress(StoreUnavailableError):
                found = await position()
                if found != known:
                    known = found
                    wake()

    async def _listen(self, wake: Callable[[], None]) -> None:
        while True:
            try:
                async with self._listening(wake) as probes:
                    while True:
                        await self._probe(probes)
                        self._report_arrival()
                        await asyncio.sleep(_PROBE_EVERY)
            except TimeoutError:
                self._report_loss("no answer in time; is there a proxy that pools transactions?")
            except (
                asyncpg.PostgresError,
                asyncpg.InterfaceError,
                OSError,
                StoreUnavailableError,
            ) as error:
                self._report_loss(str(error))
            await asyncio.sleep(_RECONNECT_AFTER)

    @asynccontextmanager
    async def _listening(self, wake: Callable[[], None]) -> AsyncIterator[asyncio.Queue[str]]:
        """Listen while inside; the queue gets the payloads of this relay's own probes."""
        probes: asyncio.Queue[str] = asyncio.Queue()

        def hear(_connection: object, _process: int, _channel: str, payload: str) -> None:
            sender, _, probe = payload.partition(" ")
            if sender != self._id:
                wake()
            elif probe:
                probes.put_nowait(probe)

        connection = await self._connect()
        try:
            await connection.add_listener(CHANNEL, hear)
            wake()  # nobody listened until now
            yield probes
        finally:
            connection.terminate()

    async def _probe(self, probes: asyncio.Queue[str]) -> None:
        """Notify oneself; TimeoutError if that does not arrive."""
        probe = secrets.token_hex(4)
        async with asyncio.timeout(_PROBE_TIMEOUT):
            await self._notify(f"{self._id} {probe}")
            while await probes.get() != probe:
                pass

    def _report_loss(self, reason: str) -> None:
        if not self._is_polling:
            self._is_polling = True
            _log.warning(
                "notifications of PostgreSQL do not arrive; polling for what other relays store",
                reason=" ".join(reason.split()),
                every=f"{_POLL_EVERY:g}s",
            )

    def _report_arrival(self) -> None:
        if self._is_polling:
            self._is_polling = False
            _log.info("notifications of PostgreSQL arrive again")
