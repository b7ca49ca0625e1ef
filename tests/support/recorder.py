"""Stands where the driver stands: takes readings, keeps what a commit would keep."""

import asyncio
from collections.abc import Callable

from notifyd.model.events import Event, SourceBatch


class Recorder:
    def __init__(self, positions: dict[str, str] | None = None) -> None:
        self.readings: list[SourceBatch] = []
        self.events: list[Event] = []
        self.positions: dict[str, str] = dict(positions or {})
        self._news = asyncio.Event()

    async def emit(self, reading: SourceBatch) -> None:
        await asyncio.sleep(0)
        self.readings.append(reading)
        self.events.extend(reading.events)
        for key, value in reading.positions.items():
            if value is None:
                self.positions.pop(key, None)
            else:
                self.positions[key] = value
        self._news.set()

    @property
    def lines(self) -> list[str]:
        return [event.line for event in self.events]

    async def until(self, condition: Callable[[], bool], within: float = 5.0) -> None:
        """Wait until the condition holds, looked at after every reading."""
        try:
            async with asyncio.timeout(within):
                while not condition():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"not in {within} s; seen: {self.lines[-20:]}") from None
