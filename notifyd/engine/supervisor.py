"""Keeping a source alive: a runtime error starts it again, a bug in the pipeline ends the process.

It goes on from the positions that were committed, so a restart neither loses nor repeats.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from notifyd.model.errors import NotifydError, StoreError
from notifyd.model.events import SourceBatch
from notifyd.model.health import Problem, SourceHealth
from notifyd.sources.base import Emit, Source

_BACKOFF = (1.0, 5.0, 30.0, 60.0)
"""Seconds before a source is started again, by how often it failed in a row; the last goes on."""
_STEADY = 300.0
"""A source that ran this long without failing has its earlier failures forgiven."""

log = structlog.get_logger()


class SourceSupervisor:
    """build: makes the source anew from what is committed at that moment.

    changed: called when its health has other news than before.
    """

    def __init__(
        self, name: str, build: Callable[[], Awaitable[Source]], changed: Callable[[], None]
    ) -> None:
        self.name = name
        self._build, self._changed = build, changed
        self._source: Source | None = None
        self._problem = ""
        self._begun = False
        self._known: SourceHealth | None = None
        self.armed = asyncio.Event()
        """Set by the first reading, maybe an empty one, which says that all is watched."""

    async def run(self, emit: Emit) -> None:
        """Run until cancelled."""

        async def noted(reading: SourceBatch) -> None:
            self._begun, self._problem = True, ""
            self._look()
            await emit(reading)
            self.armed.set()

        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            started = loop.time()
            try:
                self._source = await self._build()
                await self._source.run(noted)
                self._problem = f"the {self.name} source ended by itself"
            except StoreError:
                raise
            except NotifydError as error:
                self._problem = str(error)
            except Exception as error:  # one broken source must not end the others
                self._problem = f"the {self.name} source failed: {type(error).__name__}: {error}"
                log.debug("source failed", source=self.name, exc_info=True)
            failures = 1 if loop.time() - started > _STEADY else failures + 1
            wait = _BACKOFF[min(failures, len(_BACKOFF)) - 1]
            log.debug("source stopped", source=self.name, reason=self._problem, wait=wait)
            self._look()
            await asyncio.sleep(wait)

    def _look(self) -> None:
        health = self.health()
        if self._known is None or self._known.changed_key != health.changed_key:
            self._known = health
            self._changed()

    def health(self) -> SourceHealth:
        """Tell how it is; one that failed counts as dead until its next first reading."""
        if self._problem:
            sentence = f"{self._problem}; until it is started again, nothing is watched by it"
            return SourceHealth(self.name, 0, (Problem("stopped", sentence),), dead=True)
        if self._source is None or not self._begun:
            return SourceHealth(self.name, 0, ready=False)
        return self._source.health()
