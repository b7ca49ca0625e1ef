"""Reports to systemd: the watchdog's signal and the status line."""

import asyncio
from collections.abc import Callable

from notifyd.engine.engine import Engine
from notifyd.telemetry.systemd import ServiceManager

_STATUS_INTERVAL = 1.0
"""Seconds between two reports of a status that keeps changing."""


class ServiceReporter:
    """describe: returns the daemon's status in one line. Does nothing without a manager."""

    def __init__(
        self, manager: ServiceManager, engine: Engine, describe: Callable[[], str]
    ) -> None:
        self._manager, self._engine, self._describe = manager, engine, describe
        self._changed = asyncio.Event()
        self._reported = ""

    def notify_change(self) -> None:
        """Report the status soon if it differs from the last one."""
        self._changed.set()

    def report_status(self) -> None:
        """Send the status if it differs from the last one."""
        if not self._manager.is_present:
            return
        if (line := self._describe()) != self._reported:
            self._manager.notify(f"STATUS={line}")
            self._reported = line

    async def run(self) -> None:
        """Report until cancelled. While nothing changes, only the watchdog's signal is sent."""
        if not self._manager.is_present:
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self._run_status(), name="service status")
            if self._manager.watchdog_timeout:
                group.create_task(self._run_watchdog(), name="watchdog")

    async def _run_status(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            self.report_status()
            await asyncio.sleep(_STATUS_INTERVAL)

    async def _run_watchdog(self) -> None:
        """Send WATCHDOG=1 after each turn of the engine's loop.

        So systemd restarts a daemon whose event loop runs but that commits nothing.
        """
        while True:
            await self._engine.wait_turn()
            self._manager.notify("WATCHDOG=1")
            self.notify_change()  # how much is watched changes without an event
            await asyncio.sleep(self._manager.watchdog_timeout / 3)
