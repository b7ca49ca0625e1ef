"""What the states of a unit amount to, in virtual time: the sequences are systemd's own."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifyd.sources.units.record import UnitRecord
from notifyd.sources.units.status import UnitStatus
from notifyd.sources.units.unit_path import path_of_unit, unit_of_path
from notifyd.sources.units.watch import (
    FINAL_WAIT,
    LOOP_WAIT,
    STABLE_AFTER,
    ChangeKind,
    UnitWatch,
)

FAILED, RECOVERED, FORGOTTEN = ChangeKind.FAILED, ChangeKind.RECOVERED, ChangeKind.FORGOTTEN
STARTED, STOPPED, FINISHED = ChangeKind.STARTED, ChangeKind.STOPPED, ChangeKind.FINISHED
INACTIVE = UnitStatus("web.service", "inactive", "dead")
UP = UnitStatus("web.service", "active", "running", result="success", invocation="a")
EMPTY = UnitRecord("boot")


class Unit:
    """Plays what systemd says of one unit."""

    def __init__(self, first=INACTIVE, record=EMPTY, now=100.0):
        self.now = now
        self.runs = 0
        self.restarts = first.restarts
        self.watch = UnitWatch(first, now, record)
        self.changes = []
        self.take()

    @property
    def kinds(self):
        return [change.kind for change in self.changes]

    def take(self):
        self.changes += self.watch.take(self.now)

    def wait(self, seconds):
        """Let time pass, and take each change when it is due."""
        end = self.now + seconds
        while self.watch.deadline <= end:
            self.now = max(self.now, self.watch.deadline)
            self.take()
        self.now = end

    def say(self, active, sub, **changes):
        self.now += 0.001
        status = replace(
            self.watch.status, active=active, sub=sub, changed_at=self.now, restarts=self.restarts
        )
        self.watch.observe(replace(status, **changes), self.now)
        self.take()

    def start(self):
        self.runs += 1
        invocation = f"run-{self.runs}"
        before = self.watch.status  # systemd gives the new run's id beside the old state first
        self.watch.observe(
            replace(before, invocation=invocation, result="success", restarts=self.restarts),
            self.now,
        )
        self.say("active", "running", result="success", invocation=invocation)

    def fail(self, status=42, *, restarts=False):
        self.say("failed", "failed", result="exit-code", code=1, exit_status=status)
        if restarts:
            self.say("activating", "auto-restart")

    def restart(self):
        """Restart as systemd does, after RestartSec=."""
        self.wait(0.1)
        self.restarts += 1
        self.start()


def test_a_failure_is_reported_at_once_with_its_status():
    unit = Unit()
    unit.start()
    unit.fail(42)
    unit.wait(FINAL_WAIT)
    assert unit.kinds == [STARTED, FAILED]
    failed = unit.changes[-1]
    assert (failed.status.exit_code, failed.failures, failed.is_restarting) == (42, 1, False)
    unit.wait(3600)
    assert unit.kinds == [STARTED, FAILED]


def test_a_restart_loop_that_ends_in_the_start_limit_is_one_failure_with_a_count():
    unit = Unit()
    unit.start()
    for _ in range(4):
        unit.fail(restarts=True)
        unit.restart()
    unit.fail(restarts=True)
    unit.wait(0.1)
    unit.restarts += 1
    unit.say("inactive", "dead")
    unit.say("failed", "failed")
    unit.wait(60)
    assert unit.kinds.count(FAILED) == 1
    [failed] = [change for change in unit.changes if change.kind is FAILED]
    assert failed.failures == 5
    assert failed.has_given_up
    assert not failed.is_restarting
    assert 0 < failed.span < LOOP_WAIT
    assert failed.status.exit_code == 42
    assert not {RECOVERED, FORGOTTEN}.intersection(unit.kinds)


def test_a_crash_after_which_systemd_restarts_the_unit_is_reported_and_ends_once_it_stays_up():
    unit = Unit()
    unit.start()
    unit.fail(restarts=True)
    unit.restart()
    unit.wait(LOOP_WAIT)
    assert unit.changes[-1].kind is FAILED
    assert unit.changes[-1].is_restarting
    unit.wait(STABLE_AFTER)
    assert unit.changes[-1].kind is RECOVERED
    assert not unit.watch.is_failing


def test_a_slow_restart_loop_never_recovers_and_counts_on():
    unit = Unit()
    unit.start()
    for _ in range(6):
        unit.fail(restarts=True)
        unit.wait(5)
        unit.restart()
        unit.wait(3)
    failures = [change.failures for change in unit.changes if change.kind is FAILED]
    assert failures == [1, 2, 3, 4, 5, 6]
    assert RECOVERED not in unit.kinds


def test_a_person_who_starts_a_failed_unit_again_ends_the_failure():
    unit = Unit()
    unit.start()
    unit.fail()
    unit.wait(60)
    unit.start()
    unit.wait(STABLE_AFTER - 1)
    assert RECOVERED not in unit.kinds
    unit.wait(1.1)
    assert unit.kinds == [STARTED, FAILED, STARTED, RECOVERED]


def test_a_oneshot_that_failed_recovers_with_its_next_success():
    unit = Unit()
    unit.say("activating", "start", invocation="one")
    unit.fail()
    unit.wait(60)
    unit.say("activating", "start", invocation="two", result="success")
    unit.say("inactive", "dead")
    unit.wait(1)
    assert unit.kinds == [FAILED, FINISHED, RECOVERED]


@pytest.mark.parametrize("is_unloaded", [False, True])
def test_a_failure_that_is_reset_ends_quietly(is_unloaded):
    unit = Unit()
    unit.start()
    unit.fail()
    unit.wait(60)
    unit.say("inactive", "dead", result="success")
    if is_unloaded:
        unit.watch.unload(unit.now)
    unit.wait(1)
    assert unit.kinds == [STARTED, FAILED, FORGOTTEN]


def test_a_unit_that_is_collected_in_the_moment_of_its_failure_is_reported():
    unit = Unit()
    unit.start()
    unit.fail(7)
    unit.watch.unload(unit.now)
    unit.wait(0)
    assert unit.kinds == [STARTED, FAILED, FORGOTTEN]
    assert unit.changes[1].status.exit_code == 7


def test_starts_and_stops_are_one_change_each():
    unit = Unit()
    unit.start()
    unit.say("reloading", "reload")
    unit.say("active", "running")
    unit.say("deactivating", "stop-sigterm")
    unit.say("inactive", "dead", code=2, exit_status=15)
    unit.wait(60)
    assert unit.kinds == [STARTED, STOPPED]


def test_a_clean_exit_that_systemd_restarts_is_no_failure():
    unit = Unit()
    unit.start()
    unit.say("inactive", "dead", code=1)
    unit.say("activating", "auto-restart")
    unit.restart()
    unit.wait(60)
    assert unit.kinds == [STARTED, STOPPED, STARTED]


def test_an_older_status_that_comes_late_is_ignored():
    unit = Unit()
    unit.start()
    old = unit.watch.status
    unit.say("deactivating", "stop-sigterm")
    unit.watch.observe(replace(old, changed_at=old.changed_at - 1), unit.now)
    assert unit.watch.status.active == "deactivating"


# the comparison with what is stored


def failed(**changes):
    given = {"invocation": "b", "changed_at": 50.0, "code": 1, "exit_status": 3} | changes
    return replace(UP, active="failed", sub="failed", result="exit-code", **given)


@pytest.mark.parametrize(
    ("record", "restarts", "invocation", "failures"),
    [
        (UnitRecord("boot", is_up=True, invocation="a"), 0, "a", 1),
        (UnitRecord("boot", is_up=True, invocation="a"), 2, "c", 3),
        (UnitRecord("boot", invocation="a", unreported=1), 0, "a", 1),
        (UnitRecord("boot", invocation="a", unreported=1), 1, "b", 2),
        (UnitRecord("boot", is_failing=True, invocation="a"), 1, "b", 1),
        (UnitRecord("boot", is_up=True, is_failing=True, invocation="a"), 1, "b", 2),
    ],
)
def test_failures_that_were_missed_are_counted(record, restarts, invocation, failures):
    unit = Unit(failed(restarts=restarts, invocation=invocation), record)
    unit.wait(1)
    assert [change.failures for change in unit.changes] == [failures]


@pytest.mark.parametrize("record", [None, EMPTY, UnitRecord("boot", is_up=True, invocation="a")])
def test_a_unit_that_failed_while_nobody_watched_is_found_at_the_start(record):
    unit = Unit(failed(), record)
    unit.wait(1)
    assert unit.kinds == [FAILED]
    assert unit.changes[0].was_missed
    assert unit.changes[0].status.exit_code == 3


def test_restarts_while_nobody_watched_are_counted_and_are_over():
    up = replace(UP, restarts=5, invocation="f", changed_at=50.0)
    unit = Unit(up, UnitRecord("boot", is_up=True, invocation="a", restarts=2))
    assert unit.kinds == [FAILED, RECOVERED]
    assert unit.changes[0].failures == 3
    assert unit.changes[0].was_missed


def test_restarts_that_began_anew_with_a_start_by_hand_count_from_there():
    up = replace(UP, restarts=1, invocation="f", changed_at=50.0)
    unit = Unit(up, UnitRecord("boot", is_up=True, invocation="a", restarts=7))
    assert unit.changes[0].failures == 1


def test_a_unit_that_nothing_is_known_of_has_missed_nothing_but_its_failure():
    unit = Unit(replace(UP, restarts=5), None)
    unit.wait(60)
    assert unit.kinds == []


def test_what_happened_meanwhile_without_a_failure_is_found_too():
    record = UnitRecord("boot", is_up=True, invocation="a")
    assert Unit(UP, record).kinds == []
    assert Unit(INACTIVE, record).kinds == [STOPPED]
    assert Unit(replace(UP, invocation="b"), record).kinds == [STOPPED, STARTED]
    assert Unit(UP, EMPTY).kinds == [STARTED]


def test_a_reported_failure_ends_after_the_restart_of_the_daemon():
    record = UnitRecord("boot", is_failing=True, invocation="a")
    unit = Unit(replace(UP, invocation="b", changed_at=99.0), record)
    unit.wait(STABLE_AFTER)
    assert unit.kinds == [STARTED, RECOVERED]
    assert unit.changes[0].is_part_of_failure
    assert Unit(INACTIVE, record).watch.deadline == 100.0 + FINAL_WAIT


def test_what_is_not_reported_yet_is_not_stored_as_reported():
    unit = Unit()
    unit.start()
    unit.fail(restarts=True)
    unit.restart()
    stored = unit.watch.record("boot")
    assert (stored.is_failing, stored.unreported) == (False, 1)
    assert Unit(unit.watch.status, stored).kinds == [FAILED]
    unit.wait(LOOP_WAIT)
    stored = unit.watch.record("boot")
    assert (stored.is_failing, stored.unreported) == (True, 0)


ACTIONS = ("start", "fail", "restart", "reset", "stop", "wait", "restart the daemon")


@given(st.lists(st.sampled_from(ACTIONS), max_size=40))
def test_failures_and_their_ends_alternate_and_none_is_lost(actions):
    unit = Unit()
    has_failed = False
    for action in actions:
        active = unit.watch.status.active
        if action == "start" and active in ("inactive", "failed"):
            unit.restarts = 0
            unit.start()
        elif action in ("fail", "restart") and active == "active":
            unit.fail(restarts=action == "restart")
            has_failed = True
            if action == "restart":
                unit.restart()
        elif action == "reset" and active == "failed":
            unit.say("inactive", "dead", result="success")
        elif action == "stop" and active == "active":
            unit.say("inactive", "dead")
        elif action == "wait":
            unit.wait(3)
        elif action == "restart the daemon":
            unit.watch = UnitWatch(unit.watch.status, unit.now, unit.watch.record("boot"))
            unit.take()
    unit.wait(3600)
    assert (FAILED in unit.kinds) == has_failed
    is_failing = False
    for change in unit.changes:
        if change.kind is FAILED:
            is_failing = True
        elif change.kind in (RECOVERED, FORGOTTEN):
            assert is_failing
            is_failing = False
    assert is_failing == (unit.watch.status.active == "failed")


# statuses


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("nginx_2eservice", "nginx.service"),
        ("getty_40tty1_2eservice", "getty@tty1.service"),
        ("sys_2ddevices_5cx2d_2emount", "sys-devices\\x2d.mount"),
        ("_2d_2emount", "-.mount"),
        ("_31st_2eservice", "1st.service"),
        ("_", ""),
    ],
)
def test_the_name_of_a_unit_is_in_its_object_path(path, unit):
    path = f"/org/freedesktop/systemd1/unit/{path}"
    assert unit_of_path(path) == unit
    assert path_of_unit(unit) == path


def test_a_path_that_is_none_of_a_unit_is_read_as_far_as_possible():
    assert unit_of_path("/x/broken_zz") == "broken"


@pytest.mark.parametrize(
    ("properties", "reason", "description"),
    [
        ({"Result": "exit-code", "ExecMainCode": 1, "ExecMainStatus": 42}, "status 42", "42"),
        ({"Result": "exit-code", "ExecMainCode": 1, "ExecMainStatus": 203}, "status 203/EXEC", ""),
        ({"Result": "signal", "ExecMainCode": 2, "ExecMainStatus": 9}, "killed by SIGKILL", "was"),
        (
            {"Result": "core-dump", "ExecMainCode": 3, "ExecMainStatus": 11},
            "killed by SIGSEGV, core dumped",
            "core dumped",
        ),
        ({"Result": "oom-kill", "ExecMainCode": 2, "ExecMainStatus": 9}, "out of memory", "SIGK"),
        ({"Result": "timeout"}, "timed out", "timed out"),
        ({"Result": "exit-code"}, "exit-code", "exit-code"),
        ({}, "", "failed"),
        ({"Result": 7, "ExecMainCode": "x", "InvocationID": "no"}, "", "failed"),
        ({"ExecMainCode": 2, "ExecMainStatus": 99}, "killed by signal 99", "signal 99"),
    ],
)
def test_a_failure_is_described_in_words(properties, reason, description):
    status = UnitStatus.from_properties("x.service", {"ActiveState": "failed", **properties})
    assert status.reason == reason
    assert description in status.description


def test_properties_are_read_with_their_units():
    status = UnitStatus.from_properties(
        "x.service",
        {
            "ActiveState": "failed",
            "InvocationID": b"\x0a\xff",
            "StateChangeTimestampMonotonic": 2_500_000,
            "ExecMainStartTimestampMonotonic": 1_000_000,
            "ExecMainExitTimestampMonotonic": 2_000_000,
        },
    )
    assert (status.invocation, status.changed_at, status.duration) == ("0aff", 2.5, 1.0)
