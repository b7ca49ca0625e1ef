"""A source that fails is restarted, and each change of its health is announced."""

import asyncio

import pytest

from notifyd.engine import supervisor
from notifyd.engine.supervisor import SourceSupervisor
from notifyd.model.errors import SourceError
from notifyd.model.events import SourceBatch
from notifyd.model.health import Problem, SourceHealth


class FailingSource:
    """Fails with each of the errors, then runs with a problem of its own."""

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
async def healths(monkeypatch):
    """Run a source that fails twice; return its health at each announced change."""
    monkeypatch.setattr(supervisor, "_BACKOFF", (0.0,))
    source = FailingSource([SourceError("it ended"), RuntimeError("a bug")])
    seen = []

    async def build():
        return source

    async def emit(_batch):
        pass

    supervised = SourceSupervisor("weak", build, lambda: seen.append(supervised.health()))
    assert not supervised.health().ready
    running = asyncio.create_task(supervised.run(emit))
    async with asyncio.timeout(45):
        await supervised.ready.wait()
        while len(seen) < 4:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])
    return seen


async def test_each_change_is_announced_once_and_a_failed_source_is_dead_until_it_emits(healths):
    assert [(health.dead, health.ready) for health in healths] == [
        (True, True),
        (True, True),
        (False, True),
        (False, True),
    ]
    messages = [" ".join(health.messages) for health in healths]
    assert messages[0].startswith("the weak source failed: RuntimeError: a bug")
    assert messages[1].startswith("it ended")
    assert messages[2:] == ["", "a is a FIFO"]


async def test_a_source_that_is_told_to_restart_does_so_at_once_and_is_never_dead():
    built, seen = [], []
    emitted = asyncio.Event()

    async def build():
        built.append(FailingSource([]))
        return built[-1]

    async def emit(_batch):
        emitted.set()

    supervised = SourceSupervisor("weak", build, lambda: seen.append(supervised.health()))
    supervised.restart()
    running = asyncio.create_task(supervised.run(emit))
    async with asyncio.timeout(45):
        for number in (1, 2, 3):
            await emitted.wait()
            emitted.clear()
            assert len(built) == number
            supervised.restart()
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    assert not any(health.dead for health in seen)
