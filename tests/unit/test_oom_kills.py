"""Why a process was killed, by the kernel's counts and its log."""

import os
from pathlib import Path

import pytest

from notifyd.sources.processes.oom_kills import REFRESH_INTERVAL, OomKills

CERTAIN, POSSIBLE = "out of memory", "possibly out of memory"


class Machine:
    """A /proc and control groups. Groups have their own counts of kills."""

    def __init__(self, folder, version=2):
        self.proc, self.groups, self.log = folder / "proc", folder / "groups", folder / "kmsg"
        self.version = version
        kind = "cgroup2" if version == 2 else "cgroup"
        options = "rw" if version == 2 else "rw,memory"
        (self.proc / "self").mkdir(parents=True)
        self.write(
            self.proc / "self/mountinfo",
            "20 1 0:1 / / rw - ext4 /dev/vda rw\n"
            f"31 2 0:30 /top {self.groups} rw,relatime - {kind} {kind} {options}\n",
        )
        self.count("")

    def write(self, path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def count(self, group, kills=0, everywhere=None):
        name = "memory.events.local" if self.version == 2 else "memory.oom_control"
        self.write(self.groups / group / name, f"oom 9\noom_kill {kills}\n")
        total = kills if everywhere is None else everywhere
        self.write(self.proc / "vmstat", f"nr_free 1\noom_kill {total}\n")

    def put(self, pid, group, flags=0):
        line = f"0::{group}" if self.version == 2 else f"7:cpu,memory:{group}\n0::/"
        self.write(self.proc / f"{pid}/cgroup", f"1:name=systemd:/\n{line}\n")
        self.write(self.proc / f"{pid}/stat", f"{pid} (a b) R 1 1 1 0 -1 {flags} 0 0\n")

    def log_is_readable(self):
        os.mkfifo(self.log)
        (self.proc / "self/ns").mkdir()
        (self.proc / "self/ns/pid").symlink_to("pid:[4026531836]")

    def watched(self, *pids):
        kills = OomKills(self.proc, self.log)
        for pid in pids:
            kills.watch(pid, 0.0)
        return kills


@pytest.fixture(params=[1, 2], ids=["v1", "v2"])
def machine(request, tmp_path):
    return Machine(tmp_path, request.param)


def test_a_kill_that_the_group_counts_is_for_want_of_memory(machine):
    machine.put(7, "/top/job")
    machine.count("job", 3)
    kills = machine.watched(7)
    assert kills.explain([7]) == {}
    machine.count("job", 4)
    assert kills.explain([7]) == {7: CERTAIN}
    assert kills.explain([7]) == {}, "one kill explains one end"


def test_kills_before_the_process_was_watched_and_old_ones_do_not_count(machine):
    machine.put(7, "/top/job")
    machine.count("job", 3)
    kills = machine.watched(7)
    machine.count("job", 4)  # another process of the group
    for number in range(1, 3):
        assert kills.next_refresh == number * REFRESH_INTERVAL
        kills.refresh(kills.next_refresh)
    assert kills.explain([7]) == {}
    machine.count("job", 5)
    kills.refresh(kills.next_refresh)  # between the kill and the end
    assert kills.explain([7]) == {7: CERTAIN}


def test_fewer_kills_than_killed_processes_are_possibly_for_want_of_memory(machine):
    for pid in (7, 8):
        machine.put(pid, "/top/job")
    machine.count("job", 0)
    kills = machine.watched(7, 8)
    machine.count("job", 1)
    assert kills.explain([7, 8]) == {7: POSSIBLE, 8: POSSIBLE}
    machine.count("job", 2)
    assert kills.explain([7, 8]) == {7: CERTAIN, 8: CERTAIN}


def test_a_group_without_the_controller_is_counted_with_the_one_above(machine):
    machine.put(7, "/top/user/session/scope")
    (machine.groups / "user/session/scope").mkdir(parents=True)
    machine.count("user", 0)
    kills = machine.watched(7)
    machine.count("user", 1)
    assert kills.explain([7]) == {7: CERTAIN}


def test_a_group_that_is_gone_leaves_the_count_of_the_machine(machine):
    machine.put(7, "/top/job")
    machine.count("job", 0)
    kills = machine.watched(7)
    machine.count("job", 1, everywhere=12)
    for file in (machine.groups / "job").iterdir():
        file.unlink()
    assert kills.explain([7]) == {7: POSSIBLE}


@pytest.mark.parametrize("group", ["/elsewhere/job", "/top/../../job", "/topmost"])
def test_a_group_outside_of_the_mounted_ones_is_counted_with_the_machine(machine, group):
    machine.put(7, group)
    machine.count("", 0)
    kills = machine.watched(7)
    assert kills.explain([7]) == {}
    machine.count("", 1)
    assert kills.explain([7]) == {7: POSSIBLE}


def test_a_process_is_followed_into_another_group_until_it_ends(machine):
    machine.put(7, "/top/a")
    machine.count("a", 0)
    machine.count("b", 5)
    kills = machine.watched(7)
    machine.put(7, "/top/b")
    kills.refresh(REFRESH_INTERVAL)
    machine.put(7, "/", flags=0x404)
    kills.refresh(2 * REFRESH_INTERVAL)
    machine.count("b", 6)
    assert kills.explain([7]) == {7: CERTAIN}


def test_thousands_of_processes_are_followed_into_other_groups_in_turn(machine, monkeypatch):
    monkeypatch.setattr("notifyd.sources.processes.oom_kills._CHECKED_AT_ONCE", 2)
    for pid in range(7, 12):
        machine.put(pid, "/top/a")
    machine.count("a", 0)
    machine.count("b", 5)
    kills = machine.watched(*range(7, 12))
    machine.put(11, "/top/b")
    for number in range(1, 4):
        kills.refresh(number * REFRESH_INTERVAL)
    machine.count("b", 6)
    assert kills.explain([11]) == {11: CERTAIN}


def test_the_log_is_open_only_while_processes_are_watched(machine):
    def is_open():
        return any(
            each.resolve() == machine.log.resolve() for each in Path("/proc/self/fd").iterdir()
        )

    machine.log_is_readable()
    machine.put(7, "/top/job")
    kills = OomKills(machine.proc, machine.log)
    assert not is_open(), "a source that is only checked never closes it"
    kills.watch(7, 0.0)
    assert is_open()
    kills.close()
    assert not is_open()


def test_nothing_is_kept_of_processes_that_ended(machine):
    machine.put(7, "/top/job")
    machine.count("job", 0)
    kills = machine.watched(7)
    kills.forget(7)
    assert kills.next_refresh is None
    machine.count("job", 4)
    kills.watch(7, 100.0)
    assert kills.explain([7]) == {}
    assert kills.next_refresh == 100.0 + REFRESH_INTERVAL


def test_the_kernels_log_says_which_process_it_was(machine):
    machine.log_is_readable()
    for pid in (7, 8):
        machine.put(pid, "/top/job")
    machine.count("job", 0)
    kills = machine.watched(7, 8)
    writer = os.open(machine.log, os.O_WRONLY)
    machine.count("job", 1)
    os.write(
        writer, b"4,1,2,-;Memory cgroup out of memory: Killed process 8 (python3) total-vm:1kB\n"
    )
    assert kills.explain([7, 8]) == {8: CERTAIN}
    machine.count("job", 2)
    assert kills.explain([7]) == {7: POSSIBLE}, "the log names no process of ours"
    os.close(writer)
    kills.close()


def test_without_counts_nothing_is_said(tmp_path):
    kills = OomKills(tmp_path / "proc", tmp_path / "kmsg")
    kills.watch(7, 0.0)
    kills.refresh(REFRESH_INTERVAL)
    assert kills.explain([7]) == {}
    kills.close()
