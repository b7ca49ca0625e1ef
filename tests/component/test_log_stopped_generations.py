"""Generations of logs that begin while the daemon is stopped, whatever their names are."""

import os
import shutil
import time
from pathlib import Path

import pytest

from notifyd.sources.logs.discovery.birth_times import birth_ns
from notifyd.sources.logs.discovery.inotify import FsHints
from support.logs import VirtualDaemon, append, reading_from_start, trigger

pytestmark = pytest.mark.skipif(
    birth_ns(str(Path(__file__))) is None, reason="the file system does not say when files began"
)


@pytest.fixture
def stopped(tmp_path):
    """Return a daemon that has read the line "one" of app.log and is stopped."""
    append(tmp_path / "app.log", "one")
    daemon = VirtualDaemon({"t": reading_from_start(tmp_path / "app.log")})
    daemon.kill()
    return daemon


def rotate(folder, name, line):
    """Rename the log, and begin the next generation with a line."""
    (folder / "app.log").rename(folder / name)
    append(folder / "app.log", line)


@pytest.mark.parametrize(
    "names",
    [
        ("first", "saved-by-hand", "x"),
        ("2026-11-30-app.log", "2026-12-01-app.log", "2026-12-02-app.log"),
        ("app__2026-11-30.log", "app__2026-12-01.log", "app__2026-12-02.log"),
        ("app.log@1f", "app.log@2f", "app.log@3f"),
    ],
)
def test_a_chain_of_generations_is_read_under_any_names(tmp_path, stopped, names):
    for name, line in zip(names, ("two", "three", "four"), strict=True):
        rotate(tmp_path, name, line)
    stopped.start()
    stopped.pass_time(70.0)
    assert stopped.lines() == ["one", "two", "three", "four"]
    stopped.restart()
    stopped.pass_time(1.0)
    assert len(stopped.lines()) == 4


def test_files_of_others_in_the_same_directory_are_not_read(tmp_path, stopped):
    append(tmp_path / "auth.log", "older")
    rotate(tmp_path, "app.log.1", "two")
    (tmp_path / "auth.log").rename(tmp_path / "auth.log.1")
    append(tmp_path / "auth.log", "foreign")
    append(tmp_path / "report", "foreign")
    rotate(tmp_path, "x-app-1f", "three")
    append(tmp_path / "auth.log", "foreign later")
    later = tmp_path / "later-app"
    append(later, "foreign")
    while birth_ns(str(later)) == birth_ns(str(tmp_path / "app.log")):  # within one tick
        later.unlink()
        append(later, "foreign")
    stopped.start()
    stopped.pass_time(70.0)
    assert stopped.lines() == ["one", "two", "three"]


def test_files_of_other_triggers_are_theirs(tmp_path):
    append(tmp_path / "app.log", "one")
    triggers = {
        "t": reading_from_start(tmp_path / "app.log"),
        "other": reading_from_start(tmp_path / "mine"),
    }
    daemon = VirtualDaemon(triggers)
    daemon.kill()
    append(tmp_path / "mine", "not for t")
    rotate(tmp_path, "x", "two")
    daemon.start()
    daemon.pass_time(70.0)
    assert (daemon.lines("t"), daemon.lines("other")) == (["one", "two"], ["not for t"])


def test_copies_of_generations_are_not_read_again(tmp_path, stopped):
    shutil.copy(tmp_path / "app.log", tmp_path / "copy")
    rotate(tmp_path, "x", "two")
    shutil.copy(tmp_path / "app.log", tmp_path / "copy of two")
    rotate(tmp_path, "y", "three")
    stopped.start()
    stopped.pass_time(70.0)
    assert stopped.lines() == ["one", "two", "three"]


def test_files_that_a_manager_begins_beside_the_log_are_read_and_followed(tmp_path, stopped):
    append(tmp_path / "app.log", "two")
    append(tmp_path / "app1.log", "three")
    append(tmp_path / "app2.log", "four")
    append(tmp_path / "app2-errors.log", "foreign")
    stopped.start()
    stopped.pass_time(70.0)
    assert sorted(stopped.lines()) == ["four", "one", "three", "two"]
    append(tmp_path / "app2.log", "five")
    stopped.poll_all(FsHints(written={str(tmp_path / "app2.log")}))
    assert stopped.lines()[-1] == "five"
    stopped.restart()
    assert len(stopped.lines()) == 5


def test_files_from_before_the_first_start_are_never_read(tmp_path):
    for name in ("app.log", "app1.log", "app2.log", "other"):
        append(tmp_path / name, "old")
    daemon = VirtualDaemon({"t": trigger(tmp_path / "app.log")})
    daemon.kill()
    daemon.wall, daemon.checkpoints = time.time() + 0.1, {}
    daemon.start()
    daemon.restart()
    rotate(tmp_path, "app.log.1", "new")
    daemon.restart()
    daemon.pass_time(70.0)
    assert daemon.lines() == ["new"]


def test_a_log_that_goes_on_has_no_files_beside_it(tmp_path, stopped):
    append(tmp_path / "app1.log", "foreign")
    later = time.time() + 5
    append(tmp_path / "app.log", "two")
    os.utime(tmp_path / "app.log", (later, later))
    stopped.start()
    stopped.pass_time(1.0)
    assert stopped.lines() == ["one", "two"]
