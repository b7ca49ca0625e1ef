"""When processes are scanned: on events of the process connector, else every second."""

import asyncio
from collections.abc import Callable, Container
from concurrent.futures import Executor
from typing import Self, TypeVar

from notifyd.sources.processes import procfs
from notifyd.sources.processes.connector import ProcessConnector
from notifyd.sources.processes.process_match import ProcessMatch
from notifyd.sources.processes.scanner import ProcessScanner
from notifyd.sources.waiting import wait_readable

CONNECTED_INTERVAL = 60.0
"""Seconds between two scans while the process connector reports new processes."""
BUSY_INTERVAL = 0.1
"""Seconds between two readings of the connector while others start many processes."""

T = TypeVar("T")


class ProcessDiscovery:
    """Yields new matches of a scanner."""

    def __init__(
        self,
        scanner: ProcessScanner,
        executor: Executor | None,
        *,
        use_connector: bool,
    ) -> None:
        self._scanner = scanner
        self._executor = executor
        self._interval = scanner.timing.interval
        self._use_connector = use_connector and scanner.needs_scans
        self._connector: ProcessConnector | None = None
        self._scan_at = 0.0
        self._pidfiles_at = 0.0
        self._read_at = 0.0

    async def __aenter__(self) -> Self:
        if self._use_connector:
            try:
                self._connector = ProcessConnector.open()
            except OSError:  # not permitted, or not supported: scan instead
                self._connector = None
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._connector is not None:
            self._connector.close()

    async def scan(self, arming: frozenset[str]) -> list[ProcessMatch]:
        """Scan all processes now. arming: triggers that are armed for the first time."""
        matches = await self._run(lambda: self._scanner.scan(arming))
        now = asyncio.get_running_loop().time()
        is_connected = self._connector is not None or not self._scanner.needs_scans
        self._scan_at = now + (CONNECTED_INTERVAL if is_connected else self._interval)
        self._pidfiles_at = now + self._interval
        return matches

    async def next_matches(
        self, watched: Container[int], *, every_interval: bool
    ) -> list[ProcessMatch]:
        """Wait until the next scan is due, and return its matches; there may be none.

        watched: pids whose forks matter. every_interval: the caller polls processes itself.
        """
        loop = asyncio.get_running_loop()
        if every_interval or self._scanner.needs_scan_soon:
            self._scan_at = min(self._scan_at, loop.time() + self._interval)
        has_pidfiles = self._scanner.has_pidfiles
        until = min(self._scan_at, self._pidfiles_at) if has_pidfiles else self._scan_at
        matches = await self._wait_for_execs(max(0.0, until - loop.time()), watched)
        now = loop.time()
        if now >= self._scan_at:
            matches += await self.scan(frozenset())
        elif has_pidfiles and now >= self._pidfiles_at:
            self._pidfiles_at = now + self._interval
            matches += await self._run(self._scanner.check_pidfiles)
        return matches

    async def _wait_for_execs(self, timeout: float, watched: Container[int]) -> list[ProcessMatch]:  # noqa: ASYNC109 - a timeout is no error here
        if self._connector is None:
            await asyncio.sleep(timeout)
            return []
        loop = asyncio.get_running_loop()
        busy = self._read_at + BUSY_INTERVAL - loop.time()
        if busy > 0:  # events come in groups: one wake-up takes them all
            await asyncio.sleep(min(busy, timeout))
            timeout -= min(busy, timeout)
        if not await wait_readable(self._connector.fileno(), timeout):
            return []
        self._read_at = loop.time()
        events = self._connector.read_events()
        if events.overflowed:
            self._scan_at = 0.0
        elif any(parent in watched for parent, _ in events.forked):
            # A copy of a watched process may match as well, if it lives on.
            soon = asyncio.get_running_loop().time() + self._interval
            self._scan_at = min(self._scan_at, soon)
        # Most processes of a build have ended by now.
        present = [pid for pid in events.with_descendants if procfs.exists(pid)]
        if not present:
            return []
        return await self._run(lambda: self._scanner.check(present))

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)
