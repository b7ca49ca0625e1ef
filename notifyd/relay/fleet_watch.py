"""Looks at the fleet at intervals, and wakes the pages that show it, at most every two seconds."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from notifyd.http.event_stream import OpenStreams
from notifyd.model.errors import StoreUnavailableError
from notifyd.relay import fleet
from notifyd.relay.store.base import RelayStore

LOOK_INTERVAL = 15.0
"""Seconds between two looks."""

_SHOW_INTERVAL = 2.0
"""Seconds between two events for open pages: reports in between share one."""


class FleetWatch:
    """version: changes whenever pages should ask for the fleet again.

    on_stored: called after a look that stored notifications.
    """

    def __init__(
        self,
        store: RelayStore,
        pages: OpenStreams,
        wall: Callable[[], float],
        on_stored: Callable[[], None],
    ) -> None:
        self._on_stored = on_stored
        self._store = store
        self._pages = pages
        self._wall = wall
        self._changed = asyncio.Event()
        self._newest_change = 0.0
        self.version = 0

    def note_change(self) -> None:
        self._changed.set()

    async def run(self) -> None:
        """Look and wake, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._run_looks(), name="fleet watch")
            group.create_task(self._run_events(), name="fleet events")

    async def look(self) -> None:
        """Look once; StoreUnavailableError if the store cannot be used."""
        if await self._store.run(fleet.look, self._wall()):
            self._pages.wake()
            self._on_stored()
            self.note_change()
        newest = await self._store.read(fleet.newest_change)
        if newest != self._newest_change:  # other relays get reports as well
            self._newest_change = newest
            self.note_change()

    async def _run_looks(self) -> None:
        while True:
            with suppress(StoreUnavailableError):  # the next look finds the same
                await self.look()
            await asyncio.sleep(LOOK_INTERVAL)

    async def _run_events(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            self.version += 1
            self._pages.wake()
            await asyncio.sleep(_SHOW_INTERVAL)
