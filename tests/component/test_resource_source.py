"""The resource source: what it hands over, from folders in place of /proc and real file systems."""

import asyncio
import threading
import time
from contextlib import asynccontextmanager, suppress

import pytest

from notifyd.config.resource_limits import ResourceValue
from notifyd.config.shaping import ShapingConfig
from notifyd.config.triggers import ResourceTriggerConfig
from notifyd.sources.probes.resources.measurement import MeasureError, Measurement
from notifyd.sources.probes.resources.measurement_runner import MeasurementRunner
from notifyd.sources.probes.resources.oom import OomCount
from notifyd.sources.probes.resources.source import ResourceSource, ResourceSourceOptions
from notifyd.sources.stored_values import CheckpointValueError
from notifyd.sources.waiting import run_in_thread
from support.machine import GIB, Machine
from support.stored import golden

WAIT = 45.0
FAST = 0.02


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path / "machine")


class Kept:
    """Keeps what a source commits, and awaits conditions on it."""

    def __init__(self, checkpoints=None):
        self.events, self.checkpoints, self.batches = [], dict(checkpoints or {}), 0
        self.changed = asyncio.Event()

    async def emit(self, batch):
        self.batches += 1
        self.events += batch.events
        self.checkpoints.update(batch.checkpoints)
        self.checkpoints = {key: value for key, value in self.checkpoints.items() if value}
        self.changed.set()

    async def until(self, condition):
        async with asyncio.timeout(WAIT):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    @property
    def lines(self):
        return [event.line for event in self.events]


def trigger(**keys):
    config = ResourceTriggerConfig.model_validate({"resource": "memory"} | keys)
    return config.model_copy(update={"every": FAST})


@asynccontextmanager
async def running(machine, triggers, kept, boot_id="boot"):
    shapings = {name: config.shaping(ShapingConfig()) for name, config in triggers.items()}
    options = ResourceSourceOptions(
        triggers,
        {name: (shaping.begin_after, shaping.end_after) for name, shaping in shapings.items()},
        wall=time.time,
        boot_id=boot_id,
        files=machine.files,
    )
    source = ResourceSource(options, kept.checkpoints)
    task = asyncio.create_task(source.run(kept.emit))
    try:
        await kept.until(lambda: kept.batches or task.done())
        yield source
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_levels_are_handed_over_when_they_change_and_nothing_else_is(machine):
    kept = Kept()
    machine.process(42, ["python3", "train.py"], 1000)
    async with running(machine, {"ram": trigger()}, kept):
        machine.memory(16 * GIB, GIB)
        await kept.until(lambda: len(kept.events) == 2)
        machine.memory(16 * GIB, 0)
        await kept.until(lambda: len(kept.events) == 3)
        machine.memory(16 * GIB, 12 * GIB)
        await kept.until(lambda: len(kept.events) == 4)
    assert kept.lines == [
        "memory: 50% used, 8.0 GiB free (ok again)",
        "memory: 93% used, 1.0 GiB free (warning)",
        "memory: 100% used, 0 B free (critical)",
        "memory: 25% used, 12.0 GiB free (ok again)",
    ]
    assert [event.alert_state for event in kept.events] == ["ended", "began", "began", "ended"]
    assert kept.events[2].facts["after"].startswith("python3 train.py (pid 42): ")
    assert kept.batches == 4


async def test_each_kill_is_reported_once_and_those_of_a_stop_at_the_next_start(machine):
    kept = Kept()
    triggers = {"killed": trigger(resource="oom")}
    machine.write(
        "dev/kmsg",
        "6,1,1,-;Booted\n"
        "3,2,2,-;Out of memory: Killed process 77 (python) total-vm:9kB, anon-rss:4194304kB, x\n",
    )
    async with running(machine, triggers, kept):
        assert kept.events == []
        machine.write("proc/vmstat", "oom_kill 1\n")
        await kept.until(lambda: kept.events)
    machine.write("proc/vmstat", "oom_kill 4\n")
    async with running(machine, triggers, kept):
        await kept.until(lambda: len(kept.events) == 2)
    async with running(machine, triggers, kept, boot_id="another"):
        await kept.until(lambda: len(kept.events) == 3)
    assert kept.lines == [
        "out of memory: the kernel killed python (pid 77, 4.0 GiB)",
        "out of memory: the kernel killed python (pid 77, 4.0 GiB) and 2 more",
        "out of memory: the kernel killed python (pid 77, 4.0 GiB) and 3 more",
    ]
    assert kept.checkpoints == {"resource:killed": OomCount("another", 4).encode()}


async def test_the_stored_count_is_a_format_of_its_own(machine):
    count = OomCount("5f0c", 3)
    assert golden("resource-oom") == ("resource:killed", count.encode())
    assert OomCount.decode(golden("resource-oom")[1]) == count
    with pytest.raises(CheckpointValueError):
        OomCount.decode("[]")
    kept = Kept({"resource:killed": "[]", "resource:gone": "{}"})
    machine.write("proc/vmstat", "oom_kill 4\n")
    async with running(machine, {"killed": trigger(resource="oom")}, kept) as source:
        await kept.until(lambda: "resource:gone" not in kept.checkpoints)
        assert "discarded the stored count" in source.health().problems[0].message
    assert kept.events == []


async def test_what_cannot_be_measured_is_a_problem_until_it_can(machine):
    kept = Kept()
    triggers = {"io": trigger(resource="pressure-io", warning=10), "ram": trigger()}
    async with running(machine, triggers, kept) as source:
        (problem,) = source.health().problems
        assert problem.message.startswith("io: the kernel shows no ")
        machine.write("proc/pressure/io", "some avg10=1.00 avg60=0.00 avg300=0.00 total=1\n")
        await kept.until(lambda: not source.health().problems)
    assert kept.lines[-1] == "io pressure: tasks waited 1% of the last 10s (ok again)"


async def test_a_directory_that_fills_a_disk_is_named(machine, tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/big").write_bytes(b"x" * 400_000)
    kept = Kept()
    full = trigger(resource="disk", path=str(tmp_path), critical="0%")
    async with running(machine, {"full": full}, kept):
        await kept.until(lambda: kept.events)
    assert kept.events[0].line.startswith(f"disk {tmp_path}: ")
    assert f"{tmp_path}/logs: " in kept.events[0].facts["after"]


async def test_one_measurement_that_hangs_holds_no_other_up():
    released, finished = threading.Event(), threading.Event()

    def hang():
        released.wait(WAIT)
        finished.set()
        return Measurement("nfs", "answers", ResourceValue(1.0))

    def answer():
        return Measurement("ram", "answers", ResourceValue(1.0))

    measuring = MeasurementRunner({"nfs": hang, "ram": answer}, timeout=0.2)
    async with asyncio.timeout(WAIT):
        results = await measuring.measure(["nfs", "ram"])
        assert str(results["nfs"]) == "no answer within 200ms; waiting for it"
        while isinstance(results["ram"], MeasureError):  # the machine is busy
            results = await measuring.measure(["nfs", "ram"])
        assert isinstance(results["nfs"], MeasureError)
        released.set()
        await asyncio.to_thread(finished.wait, WAIT)
        while isinstance((await measuring.measure(["nfs"]))["nfs"], MeasureError):
            pass


async def test_what_fails_in_a_thread_is_raised_where_it_is_awaited():
    with pytest.raises(ZeroDivisionError):
        await run_in_thread(lambda: 1 // 0, WAIT)
