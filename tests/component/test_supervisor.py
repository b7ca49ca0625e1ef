"""A source that fails is started again, and everybody hears how it is."""

import asyncio

import pytest

from notifyd.engine import supervisor
from notifyd.engine.supervisor import SourceSupervisor
from notifyd.model.errors import SourceError
from notifyd.model.events import SourceBatch
from notifyd.model.health import Problem, SourceHealth


class Weak:
    """Fails as long as it is told to; then it has a problem of its own, and goes on."""

    name = "weak"

    def __init__(self, failures):
        self._failures = failures
        self.problems = ()

    def health(self):
        return SourceHealth(self.name, 1, self.problems)

    async def run(self, emit):
        if self._failures:
            raise self._failures.pop()
        await emit(SourceBatch((), {}))
        self.problems = (Problem("file", "a is a FIFO"),)
        await emit(SourceBatch((), {}))
        await asyncio.Event().wait()


@pytest.fixture
async def heard(monkeypatch):
    """Run one that fails twice; gives the health whenever it was said to have changed."""
    monkeypatch.setattr(supervisor, "_BACKOFF", (0.0,))
    source = Weak([SourceError("it ended"), RuntimeError("a bug")])
    seen = []

    async def build():
        return source

    async def emit(_reading):
        pass

    supervised = SourceSupervisor("weak", build, lambda: seen.append(supervised.health()))
    assert not supervised.health().ready
    running = asyncio.create_task(supervised.run(emit))
    async with asyncio.timeout(5):
        await supervised.ready.wait()
        while len(seen) < 4:  # noqa: ASYNC110 - nobody sets an event for it
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])
    return seen


async def test_each_change_is_announced_once_and_a_failed_one_is_dead_until_it_reads(heard):
    assert [(health.dead, health.ready) for health in heard] == [
        (True, True),
        (True, True),
        (False, True),
        (False, True),
    ]
    said = [" ".join(health.messages) for health in heard]
    assert said[0].startswith("the weak source failed: RuntimeError: a bug")
    assert said[1].startswith("it ended")
    assert said[2:] == ["", "a is a FIFO"]
