"""How long it takes to arm a file trigger over 100,000 files in 5,000 directories.

    make bench-arming             prints seconds from the start of the source, and CPU time

Armed means that every file is known and stored, so that each later change counts. The peer in the
same run is a plain walk that reads the state of the same files and stores nothing.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from notifyd.config.triggers import FileTriggerConfig
from notifyd.model.events import SourceBatch
from notifyd.outbox.commit import Commit
from notifyd.outbox.store import OutboxStore
from notifyd.sources.files.source import FileSource

FILES, DIRECTORIES = 100_000, 5_000


def main() -> None:
    print(f"{'':24}seconds   CPU seconds")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _fill(folder / "in")
        for _ in range(3):
            _report("walk and lstat", *_measure(_walk, folder / "in"))
            state = folder / f"state-{time.monotonic_ns()}"
            _report("notifyd", *_measure(_arm, folder / "in", state))


def _fill(folder: Path) -> None:
    for number in range(DIRECTORIES):
        directory = folder / str(number // 100) / str(number)
        directory.mkdir(parents=True)
        for file in range(FILES // DIRECTORIES):
            os.close(os.open(directory / str(file), os.O_CREAT | os.O_WRONLY))


def _walk(folder: Path) -> None:
    count = 0
    for directory, _, names in os.walk(folder):
        for name in names:
            os.lstat(f"{directory}/{name}")
            count += 1
    assert count == FILES


def _arm(folder: Path, state: Path) -> None:
    asyncio.run(_arm_source(folder, state))


async def _arm_source(folder: Path, state: Path) -> None:
    trigger = FileTriggerConfig.model_validate({"paths": [f"{folder}/**"]})
    source = FileSource({"up": trigger}, {}, wall=time.time)
    armed = asyncio.Event()
    async with OutboxStore(state) as store:

        async def emit(batch: SourceBatch) -> None:
            await store.commit(Commit({}, batch.checkpoints, (), "{}", time.time(), None))
            if "file:up" in batch.checkpoints:
                armed.set()

        running = asyncio.create_task(source.run(emit))
        await armed.wait()
        running.cancel()
        await asyncio.wait([running])
    assert source.health().watching == FILES


def _measure(work: Callable[..., None], *arguments: Path) -> tuple[float, float]:
    started, cpu = time.monotonic(), time.process_time()
    work(*arguments)
    return time.monotonic() - started, time.process_time() - cpu


def _report(name: str, seconds: float, cpu: float) -> None:
    print(f"{name:24}{seconds:7.2f}   {cpu:11.2f}")


if __name__ == "__main__":
    main()
