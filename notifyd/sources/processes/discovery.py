"""When processes are searched for: on news from the kernel, else every second."""

import asyncio
from collections.abc import Callable, Container
from concurrent.futures import Executor
from typing import Self, TypeVar

from notifyd.sources.processes.connector import Connector
from notifyd.sources.processes.scanner import ProcessMatch, ProcessScanner
from notifyd.sources.readable import readable

SELDOM = 60.0
"""Seconds between two searches where the kernel tells of new processes."""

T = TypeVar("T")


class ProcessDiscovery:
    """Gives new matches of a census as time goes on. every: seconds between two searches."""

    def __init__(
        self, census: ProcessScanner, executor: Executor | None, every: float, *, connector: bool
    ) -> None:
        self._census = census
        self._executor = executor
        self._every = every
        self._wanted = connector and census.searches
        self._connector: Connector | None = None
        self._search_at = 0.0
        self._named_at = 0.0

    async def __aenter__(self) -> Self:
        if self._wanted:
            try:
                self._connector = Connector.open()
            except OSError:  # not permitted, or too old: search instead
                self._connector = None
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._connector is not None:
            self._connector.close()

    async def all(self, arming: frozenset[str]) -> list[ProcessMatch]:
        """Search for everything now. arming: triggers that have not been armed before."""
        matches = await self._blocking(lambda: self._census.search(arming))
        now = asyncio.get_running_loop().time()
        told = self._connector is not None or not self._census.searches
        self._search_at = now + (SELDOM if told else self._every)
        self._named_at = now + self._every
        return matches

    async def next(self, watched: Container[int], *, hurried: bool) -> list[ProcessMatch]:
        """Wait for the next occasion, and give what there is then, which may be nothing.

        watched: pids whose forks matter. hurried: the caller needs a turn every second.
        """
        loop = asyncio.get_running_loop()
        if hurried or self._census.undecided:
            self._search_at = min(self._search_at, loop.time() + self._every)
        until = min(self._search_at, self._named_at) if self._census.names else self._search_at
        matches = await self._heard(max(0.0, until - loop.time()), watched)
        now = loop.time()
        if now >= self._search_at:
            matches += await self.all(frozenset())
        elif self._census.names and now >= self._named_at:
            self._named_at = now + self._every
            matches += await self._blocking(self._census.named)
        return matches

    async def _heard(self, pause: float, watched: Container[int]) -> list[ProcessMatch]:
        if self._connector is None:
            await asyncio.sleep(pause)
            return []
        if not await readable(self._connector.fileno(), pause):
            return []
        news = self._connector.news()
        soon = asyncio.get_running_loop().time() + self._every
        if news.lost:
            self._search_at = 0.0
        elif any(parent in watched for parent, _ in news.forked):
            # A copy of what is watched may be meant as well, if it lives on.
            self._search_at = min(self._search_at, soon)
        if not news.execed:
            return []
        return await self._blocking(lambda: self._census.look(news.execed))

    async def _blocking(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)
