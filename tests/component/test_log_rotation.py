"""Numbered lines are reported once each over rotations: real files, virtual time."""

import os
import shutil

import pytest

from notifyd.sources.logs.discovery.rotated_files import original_names
from support.logs import VirtualDaemon, append, reading_from_start, trigger


def test_generations_rotated_while_the_daemon_was_down_are_read_in_order(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon({"t": reading_from_start(log)})
    append(log, "one")
    daemon.poll_all()
    daemon.kill()
    append(log, "two")
    for number, line in enumerate(["three", "four", "five"]):
        log.rename(tmp_path / f"app-2024010{number}.log")
        append(log, line)
        os.utime(log, ns=(0, log.stat().st_mtime_ns + (number + 1) * 10**9))
    daemon.start()
    assert daemon.lines() == ["one", "two", "three", "four", "five"]
    assert {event.path for event in daemon.events} == {str(log)}


def test_lines_not_read_before_a_copytruncate_are_read_from_the_copy(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon({"t": reading_from_start(log)})
    append(log, "one")
    daemon.poll_all()
    daemon.kill()
    append(log, "two")
    shutil.copyfile(log, tmp_path / "app.log.1")
    os.truncate(log, 0)
    append(log, "three, which is longer than all before")
    daemon.start()
    daemon.restart()
    assert daemon.lines() == ["one", "two", "three, which is longer than all before"]


def test_rotated_files_from_before_the_first_scan_are_not_read(tmp_path):
    log, old = tmp_path / "app.log", tmp_path / "app.log.1"
    append(old, "long ago")
    append(log, "before")
    daemon = VirtualDaemon({"t": trigger(log)})
    append(old, "written late")
    old.rename(tmp_path / "app.log.2")
    log.rename(old)
    append(log, "new")
    daemon.poll_all()
    daemon.restart()
    assert sorted(daemon.lines()) == ["new", "written late"]


def test_a_copy_of_a_log_is_not_read(tmp_path):
    log = tmp_path / "app.log"
    daemon = VirtualDaemon({"t": trigger(log)})
    append(log, *(f"line {number}" for number in range(100)))
    daemon.poll_all()
    shutil.copyfile(log, tmp_path / "app.log.20240101")
    append(log, "more")
    daemon.poll_all()
    log.rename(tmp_path / "app.log.1")
    append(log, "new")
    daemon.poll_all()
    assert daemon.lines()[100:] == ["more", "new"]


@pytest.mark.parametrize(
    ("name", "rotated"),
    [
        ("app.log.1", True),
        ("app.log-20240131", True),
        ("app.log.2024-01-31T10:00:00", True),
        ("app-20240131.log", True),
        ("app.1.log", True),
        ("app.log.old", True),
        ("app.log.1.gz", False),
        ("app.log.err", False),
        ("app2.log", False),
        ("app-debug.log", False),
        ("app.log", False),
    ],
)
def test_rotated_names_are_distinguished_from_others(name, rotated):
    assert ("app.log" in original_names(name)) is rotated
