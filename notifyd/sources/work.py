"""Work on another thread, that is done to its end."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

T = TypeVar("T")


async def done(
    executor: Executor | None, work: Callable[[], T], hurry: Callable[[], None] | None = None
) -> T:
    """Do a piece of work to its end, whatever happens: nobody may use its files meanwhile.

    hurry: called when nobody waits for it any more.
    """
    running = asyncio.get_running_loop().run_in_executor(executor, work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        if hurry is not None:
            hurry()
        await asyncio.wait([running])
        running.exception()  # it matters to nobody any more
        raise
