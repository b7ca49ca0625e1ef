"""Waiting for a descriptor."""

import asyncio
import os

import pytest

from notifyd.sources.waiting import wait_readable


@pytest.fixture
def pipe():
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("seconds", [0.0, 5.0, None])
async def test_a_readable_descriptor_is_found_even_without_time_to_wait(pipe, seconds):
    reader, writer = pipe
    os.write(writer, b"x")
    assert await wait_readable(reader, seconds)


@pytest.mark.parametrize("seconds", [0.0, 0.01])
async def test_a_descriptor_that_is_not_readable_in_time_is_not_found(pipe, seconds):
    reader, _ = pipe
    assert not await wait_readable(reader, seconds)


async def test_a_descriptor_is_no_longer_watched_after_the_wait(pipe):
    reader, writer = pipe
    await wait_readable(reader, 0.0)
    task = asyncio.create_task(wait_readable(reader, None))
    await asyncio.sleep(0)  # it begins to wait
    task.cancel()
    await asyncio.wait([task])
    os.write(writer, b"x")
    assert not asyncio.get_running_loop().remove_reader(reader)
