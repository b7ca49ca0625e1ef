"""Keeps one source running: restarts it with backoff when it fails.

A restarted source continues from the checkpoints that were committed, so it neither loses nor
repeats events. A StoreError is not the source's fault and ends the process.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

from notifyd.model.errors import NotifydError, StoreError
from notifyd.model.events import SourceBatch
from notifyd.model.health import Problem, SourceHealth
from notifyd.sources.base import Emit, Source

_BACKOFF = (1.0, 5.0, 30.0, 60.0)
"""Seconds before a restart, by failures in a row; the last one repeats."""
_STABLE_AFTER = 300.0
"""Seconds: a source that ran this long starts again at the first backoff."""

log = structlog.get_logger()


class SourceSupervisor:
    """build: makes the source from what is committed when it is called.

    on_change: called when the health has changed in a way that the daemon's log reports.
    """

    def __init__(
        self, name: str, build: Callable[[], Awaitable[Source]], on_change: Callable[[], None]
    ) -> None:
        self.name = name
        self.ready = asyncio.Event()
        """Set once the first batch, which may be empty, is committed: the first scan is done."""
        self._build, self._on_change = build, on_change
        self._source: Source | None = None
        self._error = ""
        self._has_emitted = False
        self._last_health: SourceHealth | None = None
        self._running: asyncio.Task[None] | None = None
        self._is_restarting = False

    def restart(self) -> None:
        """Rebuild the source at once from what is committed, for a cause that is not its own fault.

        Does nothing while the source waits for a restart.
        """
        if self._running is not None:
            self._is_restarting = True
            self._running.cancel()

    async def run(self, emit: Emit) -> None:
        """Run the source until cancelled."""

        async def emit_from_source(batch: SourceBatch) -> None:
            self._has_emitted, self._error = True, ""
            self._check_health()
            await emit(batch)
            self.ready.set()

        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            started = loop.time()
            try:
                self._source = await self._build()
                if await self._was_restarted(self._source.run(emit_from_source)):
                    continue
                self._error = f"the {self.name} source stopped unexpectedly"
            except StoreError:
                raise
            except NotifydError as error:
                self._error = str(error)
            except Exception as error:  # one broken source must not end the others
                self._error = f"the {self.name} source failed: {type(error).__name__}: {error}"
                log.debug("source failed", source=self.name, exc_info=True)
            failures = 1 if loop.time() - started > _STABLE_AFTER else failures + 1
            delay = _BACKOFF[min(failures, len(_BACKOFF)) - 1]
            log.debug("source stopped", source=self.name, reason=self._error, restart_in=delay)
            self._check_health()
            await asyncio.sleep(delay)

    async def _was_restarted(self, run: Coroutine[Any, Any, None]) -> bool:
        """Run to the end; return whether `restart` ended it."""
        self._running = asyncio.create_task(run, name=f"source {self.name}")
        self._is_restarting = False
        try:
            await self._running
        except asyncio.CancelledError:
            this = asyncio.current_task()
            if not self._is_restarting or (this is not None and this.cancelling()):
                raise
            return True
        finally:
            self._running = None
        return False

    def health(self) -> SourceHealth:
        """Return the source's health; after a failure it is dead until it emits again."""
        if self._error:
            message = f"{self._error}; it watches nothing until it is restarted"
            return SourceHealth(self.name, 0, (Problem("stopped", message),), dead=True)
        if self._source is None or not self._has_emitted:
            return SourceHealth(self.name, 0, ready=False)
        return self._source.health()

    def _check_health(self) -> None:
        health = self.health()
        if self._last_health is None or self._last_health.changed_key != health.changed_key:
            self._last_health = health
            self._on_change()
