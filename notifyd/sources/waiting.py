"""Waiting on the event loop for a descriptor, or for work on another thread."""

import _thread
import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
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


async def run_in_thread(work: Callable[[], T], timeout: float) -> T:  # noqa: ASYNC109 - the thread continues
    """Run blocking work on a thread that does not hold up the end of the process.

    TimeoutError if it takes longer; the thread continues. Exceptions of the work are raised.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as failure:  # noqa: BLE001 - raised where it is awaited
            error = failure
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(settle, result, error)

    _thread.start_new_thread(run, ())  # threading.Thread would wait for its start: one more wake-up
    async with asyncio.timeout(timeout):
        return await done
