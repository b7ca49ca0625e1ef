"""Monotonic time that goes on: restarts, reboots, a wall clock that jumps."""

from hypothesis import given
from hypothesis import strategies as st

from notifyd.engine.clock import Clock


class Machine:
    def __init__(self, monotonic=100.0, wall=1_700_000_000.0, boot="first"):
        self.monotonic, self.wall, self.boot = monotonic, wall, boot

    def clock(self, saved=None):
        return Clock(
            saved, boot=self.boot, monotonic=lambda: self.monotonic, wall=lambda: self.wall
        )

    def pass_(self, seconds):
        self.monotonic += seconds
        self.wall += seconds


def test_a_restart_within_one_boot_knows_what_passed_whatever_the_wall_clock_says():
    machine = Machine()
    clock = machine.clock()
    saved = clock.serialize(clock.now())
    machine.pass_(30)
    machine.wall -= 5000
    assert machine.clock(saved).now().mono == 130.0


def test_over_a_reboot_the_wall_clock_tells_what_passed():
    machine = Machine()
    clock = machine.clock()
    saved = clock.serialize(clock.now())
    machine.pass_(60)
    machine.monotonic, machine.boot = 3.0, "second"
    assert machine.clock(saved).now().mono == 160.0


def test_a_wall_clock_that_went_back_over_a_reboot_counts_as_no_time():
    machine = Machine()
    clock = machine.clock()
    saved = clock.serialize(clock.now())
    machine.monotonic, machine.boot = 3.0, "second"
    machine.wall -= 1e6
    assert machine.clock(saved).now().mono == 100.0


steps = st.tuples(
    st.sampled_from(["work", "restart", "reboot"]),
    st.floats(0, 1e5),
    st.floats(-1e6, 1e6),
)


@given(st.lists(steps, max_size=20))
def test_the_line_never_goes_back(steps):
    machine = Machine()
    clock = machine.clock()
    last = clock.now()
    for kind, seconds, jump in steps:
        saved = clock.serialize(last)
        machine.pass_(seconds)
        machine.wall += jump
        if kind == "reboot":
            machine.monotonic, machine.boot = 1.0, machine.boot + "x"
        if kind != "work":
            clock = machine.clock(saved)
        assert clock.now().mono >= last.mono - 1e-6
        last = clock.now()
