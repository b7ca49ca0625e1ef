"""Monotonic time continues over restarts, reboots and jumps of the wall clock."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifyd.engine.clock import Clock
from notifyd.model.events import Now


class Machine:
    def __init__(self, monotonic=100.0, wall=1_700_000_000.0, boot="first"):
        self.monotonic, self.wall, self.boot = monotonic, wall, boot

    def clock(self, stored=None):
        return Clock(
            stored, boot=self.boot, monotonic=lambda: self.monotonic, wall=lambda: self.wall
        )

    def advance(self, seconds):
        self.monotonic += seconds
        self.wall += seconds


def test_a_restart_within_one_boot_ignores_the_wall_clock():
    machine = Machine()
    clock = machine.clock()
    stored = clock.serialize(clock.now())
    machine.advance(30)
    machine.wall -= 5000
    assert machine.clock(stored).now().mono == 130.0


def test_the_wall_clock_measures_a_reboot():
    machine = Machine()
    clock = machine.clock()
    stored = clock.serialize(clock.now())
    machine.advance(60)
    machine.monotonic, machine.boot = 3.0, "second"
    assert machine.clock(stored).now().mono == 160.0
    assert (machine.clock(stored).off_for, clock.off_for) == (60.0, 0.0)


def test_a_wall_clock_set_back_over_a_reboot_counts_as_no_time():
    machine = Machine()
    clock = machine.clock()
    stored = clock.serialize(clock.now())
    machine.monotonic, machine.boot = 3.0, "second"
    machine.wall -= 1e6
    assert machine.clock(stored).now().mono == 100.0


@pytest.mark.parametrize(
    "changes",
    [
        {"boot": ""},
        {"boot": 7},
        {"mono": "100"},
        {"wall": None},
        {"monotonic": [1]},
        {"mono": float("nan")},
        {"mono": 10**400},
    ],
)
def test_a_damaged_reading_is_ignored(changes):
    machine = Machine()
    stored = json.loads(machine.clock().serialize(Now(500.0, machine.wall)))
    assert machine.clock(json.dumps(stored | {"mono": 600.0})).now().mono == 600.0
    assert machine.clock(json.dumps(stored | changes)).now().mono == machine.monotonic


@pytest.mark.parametrize("text", ["", "{]", "[]", "null", "7", "{}", "[" * 100_000])
def test_what_is_no_reading_is_ignored(text):
    machine = Machine()
    assert machine.clock(text).now().mono == machine.monotonic


def test_the_stored_reading_has_these_names_and_unknown_ones_are_ignored():
    machine = Machine()
    clock = machine.clock()
    stored = json.loads(clock.serialize(clock.now()))
    assert stored == {"boot": "first", "monotonic": 100.0, "mono": 100.0, "wall": 1.7e9}
    machine.advance(10)
    assert machine.clock(json.dumps(stored | {"later": [1]})).now().mono == 110.0


steps = st.tuples(
    st.sampled_from(["work", "restart", "reboot"]),
    st.floats(0, 1e5),
    st.floats(-1e6, 1e6),
)


@given(st.lists(steps, max_size=20))
def test_monotonic_time_never_goes_back(steps):
    machine = Machine()
    clock = machine.clock()
    last = clock.now()
    for kind, seconds, jump in steps:
        stored = clock.serialize(last)
        machine.advance(seconds)
        machine.wall += jump
        if kind == "reboot":
            machine.monotonic, machine.boot = 1.0, machine.boot + "x"
        if kind != "work":
            clock = machine.clock(stored)
        assert clock.now().mono >= last.mono - 1e-6
        last = clock.now()
