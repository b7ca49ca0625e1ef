"""Waiting for a descriptor on the event loop."""

import asyncio


async def readable(descriptor: int, seconds: float | None) -> bool:
    """Wait until it can be read, at most so long; says whether it can."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(descriptor, wake)
    try:
        async with asyncio.timeout(seconds):
            await ready
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(descriptor)
    return True
