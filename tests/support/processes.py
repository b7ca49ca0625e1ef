"""Runs the process source against real processes."""

import asyncio
import time
from contextlib import asynccontextmanager

from notifyd.config.triggers import ProcessTriggerConfig
from notifyd.sources.processes.scanner import ProcessTiming
from notifyd.sources.processes.source import ProcessSource

BOOT = "this-boot"
TIMING = ProcessTiming(
    interval=0.05, copy_age=0.1, start_wait=0.0, launcher_time=600.0, leftover_wait=600.0
)
"""Quick where a test waits for it, and never over where it is an upper bound."""
SETTLED = 0.3
"""Seconds for a second job or report, which must not come. On a busy machine none may show in them:
then a test sees less, but never fails."""


@asynccontextmanager
async def running(recorder, connector, boot=BOOT, **triggers):
    options = {"timing": TIMING, "max_pidfds": None, "executor": None}
    options |= {key: triggers.pop(key) for key in options if key in triggers}
    built = {name: ProcessTriggerConfig.model_validate(each) for name, each in triggers.items()}
    source = ProcessSource(
        built,
        dict(recorder.checkpoints),
        wall=time.time,
        boot_id=boot,
        use_connector=connector,
        **options,
    )
    task = asyncio.create_task(source.run(recorder.emit))
    terms = {f"process:{name}": s.terms.encode() for name, s in source._selectors.items()}
    try:
        await recorder.until(lambda: terms.items() <= recorder.checkpoints.items())
        yield source
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled(), task.exception()


def watched(recorder):
    return {key for key in recorder.checkpoints if key.count(":") == 2}


async def reaped(child):
    await asyncio.get_running_loop().run_in_executor(None, child.wait)
