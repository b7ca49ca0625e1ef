"""Deletes what is too old at intervals, so that a relay without traffic does it too."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from notifyd.model.errors import StoreUnavailableError
from notifyd.relay import fleet, sends
from notifyd.relay.sends import StoreLimits
from notifyd.relay.store.base import RelayStore

INTERVAL = 600.0
"""Seconds between two rounds."""


async def run_maintenance(
    store: RelayStore, limits: StoreLimits, wall: Callable[[], float]
) -> NoReturn:
    """Delete what is too old now and at intervals, until cancelled."""
    while True:
        with suppress(StoreUnavailableError):  # the next round does it
            await store.run(sends.prune, wall(), limits)
            await store.run(fleet.prune, wall())
        await asyncio.sleep(INTERVAL)
