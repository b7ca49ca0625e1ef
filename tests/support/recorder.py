"""Stands in for the engine: records batches, and keeps what a commit would keep."""

import asyncio
from collections.abc import Callable

from notifyd.model.events import Event, SourceBatch


class Recorder:
    def __init__(self, checkpoints: dict[str, str] | None = None) -> None:
        self.batches: list[SourceBatch] = []
        self.events: list[Event] = []
        self.checkpoints: dict[str, str] = dict(checkpoints or {})
        self._recorded = asyncio.Event()

    async def emit(self, batch: SourceBatch) -> None:
        await asyncio.sleep(0)
        self.batches.append(batch)
        self.events.extend(batch.events)
        for key, value in batch.checkpoints.items():
            if value is None:
                self.checkpoints.pop(key, None)
            else:
                self.checkpoints[key] = value
        self._recorded.set()

    @property
    def lines(self) -> list[str]:
        return [event.line for event in self.events]

    async def until(self, condition: Callable[[], bool], within: float = 45.0) -> None:
        """Wait until the condition holds. It is evaluated after every batch."""
        try:
            async with asyncio.timeout(within):
                while not condition():
                    self._recorded.clear()
                    await self._recorded.wait()
        except TimeoutError:
            raise AssertionError(f"not in {within} s; seen: {self.lines[-20:]}") from None
