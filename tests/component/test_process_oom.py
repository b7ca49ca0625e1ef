"""A job that the kernel kills for want of memory, in a control group with a limit."""

import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from notifyd.config.shaping import ShapingConfig
from notifyd.config.triggers import ProcessTriggerConfig
from notifyd.shaping.summaries import summarize_one
from notifyd.triggers import Trigger
from support.processes import running
from support.recorder import Recorder

LIMIT = 64 << 20
HUNGRY = """
import sys
sys.stdin.readline()
blocks = []
while True:
    blocks.append(bytes(range(256)) * 40_000)
"""


@pytest.fixture
def limited_group(tag):
    """A control group whose processes may use 64 MiB together."""
    root = Path("/sys/fs/cgroup")
    second = (root / "cgroup.controllers").exists()
    group = (root if second else root / "memory") / f"notifyd-test-{tag}"
    limit = "memory.max" if second else "memory.limit_in_bytes"
    try:
        group.mkdir()
        try:
            (group / limit).write_text(str(LIMIT))
        except OSError:
            group.rmdir()
            raise
    except OSError:
        pytest.skip("cannot make a control group with a limit of memory")
    with suppress(OSError):  # without swap
        (group / ("memory.swap.max" if second else "memory.memsw.limit_in_bytes")).write_text("0")
    yield group
    group.rmdir()


async def test_the_kill_is_named(limited_group, tag, spawn):
    recorder = Recorder()
    async with running(recorder, connector=False, job={"cmdline": tag, "on": ["start", "exit"]}):
        child = spawn(HUNGRY, tag, [sys.executable, "-c"])
        (limited_group / "cgroup.procs").write_text(str(child.pid))
        await recorder.until(lambda: recorder.events)
        child.stdin.write(b"\n")
        child.stdin.flush()
        await recorder.until(lambda: len(recorder.events) == 2)
    assert child.wait() == -signal.SIGKILL
    event = recorder.events[1]
    assert "was killed: out of memory" in event.line
    config = ProcessTriggerConfig.model_validate({"type": "process", "cmdline": tag})
    trigger = Trigger("training", config, ShapingConfig())
    assert trigger.render(summarize_one(event))[0] == "training killed: out of memory"


async def test_a_kill_by_somebody_is_not(tag, spawn):
    recorder = Recorder()
    async with running(recorder, connector=False, job={"cmdline": tag, "on": ["start", "exit"]}):
        child = spawn(HUNGRY, tag, [sys.executable, "-c"])
        await recorder.until(lambda: recorder.events)
        child.kill()
        await recorder.until(lambda: len(recorder.events) == 2)
    assert "was killed by SIGKILL" in recorder.events[1].line
