"""A gap is noticed once, for what it was: a suspend, or a clock that went forward."""

import asyncio
import ctypes
import struct

import pytest

from notifyd.engine.gaps import ClockWatch, Gap, GapDetector, GapKind, suspended_seconds
from notifyd.model.events import Now


class Machine:
    """Its clocks, as `GapDetector` reads them."""

    def __init__(self):
        self.mono, self.wall, self.asleep = 1000.0, 1_700_000_000.0, 0.0
        self.detector = GapDetector(Now(self.mono, self.wall), lambda: self.asleep)

    def pass_time(self, seconds):
        self.mono += seconds
        self.wall += seconds

    def suspend(self, seconds):
        self.wall += seconds
        self.asleep += seconds

    def observe(self):
        return self.detector.observe(Now(self.mono, self.wall))


def test_a_suspend_is_reported_once_with_its_length():
    machine = Machine()
    machine.pass_time(60)
    assert machine.observe() is None
    machine.suspend(8 * 3600.0)
    machine.pass_time(1)
    assert machine.observe() == Gap(GapKind.SUSPEND, 8 * 3600.0, machine.wall)
    machine.pass_time(3600)
    assert machine.observe() is None


def test_a_clock_that_goes_forward_without_a_suspend_is_called_that():
    machine = Machine()
    machine.wall += 90.0
    assert machine.observe() == Gap(GapKind.CLOCK, 90.0, machine.wall)


def test_a_suspend_of_a_machine_whose_clock_was_wrong_lasts_as_long_as_the_kernel_counted():
    machine = Machine()
    machine.suspend(600.0)
    machine.wall += 100_000.0
    assert machine.observe().seconds == 600.0


@pytest.mark.parametrize("step", [1.9, -1.9, -3600.0])
def test_corrections_and_clocks_that_go_back_are_no_gap(step):
    machine = Machine()
    for _ in range(10):
        machine.wall += step
        machine.pass_time(1)
        assert machine.observe() is None


def test_a_clock_that_was_set_back_and_forward_again_is_a_gap():
    machine = Machine()
    machine.wall -= 3600.0
    assert machine.observe() is None
    machine.wall += 3600.0
    assert machine.observe().kind is GapKind.CLOCK


def test_this_machine_counts_the_time_it_was_suspended():
    assert suspended_seconds() >= -0.01


async def test_a_wait_ends_by_its_time_limit_where_no_clock_is_set():
    with ClockWatch() as watch:
        await watch.wait(0.001)


def set_clock():
    """Set this machine's clock forward by a nanosecond; return whether that is permitted."""
    request = ctypes.create_string_buffer(256)  # struct timex, see adjtimex(2)
    struct.pack_into("I68xqq", request, 0, 0x2100, 0, 1)
    return ctypes.CDLL(None).adjtimex(request) >= 0


async def test_a_clock_that_is_set_ends_a_wait():
    with ClockWatch() as watch:
        waiting = asyncio.create_task(watch.wait(600))
        await asyncio.sleep(0)  # it begins to wait
        if not set_clock():
            waiting.cancel()
            pytest.skip("only root may set the clock")
        async with asyncio.timeout(45):
            await waiting
