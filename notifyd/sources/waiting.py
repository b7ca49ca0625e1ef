"""Waiting on the event loop for a descriptor, or for work on another thread."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

T = TypeVar("T")


async def wait_readable(descriptor: int, seconds: float | None) -> bool:
    """Wait until a descriptor is readable; return whether it is in time. None: without a limit."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(descriptor, wake)
    try:
        # Unlike asyncio.timeout, this polls the descriptor once even if `seconds` is 0.
        done, _ = await asyncio.wait([ready], timeout=seconds)
    finally:
        loop.remove_reader(descriptor)
    return bool(done)


async def run_to_completion(
    executor: Executor | None,
    work: Callable[[], T],
    on_cancel: Callable[[], None] | None = None,
) -> T:
    """Run work on another thread; when cancelled, return only after it has finished.

    So the caller may close what the work uses. on_cancel: called first, to make it finish soon.
    """
    running = asyncio.get_running_loop().run_in_executor(executor, work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        if on_cancel is not None:
            on_cancel()
        await asyncio.wait([running])
        running.exception()  # retrieved, so that asyncio does not log it
        raise
