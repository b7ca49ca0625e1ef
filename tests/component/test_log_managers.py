"""Managers that rotate by names of their own, with their default sizes: every line comes once."""

import os
import shutil
import subprocess

import pytest

from notifyd.sources.logs.discovery.rotated_files import original_names
from support.logs import VirtualDaemon, append, reading_from_start

MANAGERS = {
    "multilog": ["multilog", "./main"],
    "s6-log": ["s6-log", "n10", "s99999", "./main"],
    "svlogd": ["svlogd", "./main"],
}


class Manager:
    """Writes lines through a real log manager into main/current."""

    def __init__(self, name, tmp_path):
        if shutil.which(name) is None:
            pytest.skip(f"needs {name}")
        (tmp_path / "main").mkdir()
        if name == "svlogd":
            (tmp_path / "main/config").write_text("s30000\nn0\n")
        self._command, self._directory = MANAGERS[name], tmp_path
        self.log = tmp_path / "main/current"
        self.written = []

    def write(self, number):
        """Write so many lines of 100 bytes, and wait until all are in the log."""
        lines = [f"line {len(self.written) + index:06} {'x' * 86}" for index in range(number)]
        text = "".join(f"{line}\n" for line in lines)
        subprocess.run(self._command, cwd=self._directory, input=text.encode(), check=True)
        self.written += lines


@pytest.mark.parametrize("name", MANAGERS)
def test_bursts_that_rotate_several_times_between_two_looks_come_once(tmp_path, name):
    manager = Manager(name, tmp_path)
    daemon = VirtualDaemon({"t": reading_from_start(manager.log)})
    for _ in range(3):
        manager.write(4000)
        daemon.pass_time(1)
    daemon.pass_time(70)
    assert sorted(daemon.lines()) == manager.written


@pytest.mark.parametrize("name", MANAGERS)
def test_what_is_written_while_the_daemon_is_stopped_comes_once(tmp_path, name):
    manager = Manager(name, tmp_path)
    daemon = VirtualDaemon({"t": reading_from_start(manager.log)})
    manager.write(500)
    daemon.pass_time(1)
    daemon.kill()
    manager.write(4000)
    daemon.start()
    daemon.pass_time(70)
    assert sorted(daemon.lines()) == manager.written


@pytest.mark.parametrize(
    ("rotated", "log"),
    [
        ("@400000006747a1b20c5e1d64.s", "current"),
        ("@400000006747a1b20c5e1d64.u", "current"),
        ("app-out__2026-11-30_00-00-00.log", "app-out.log"),
        ("2026-11-30-app.log", "app.log"),
        ("app.log.old.old", "app.log"),
        ("app.log.old.1", "app.log"),
    ],
)
@pytest.mark.parametrize("while_stopped", [False, True])
def test_a_generation_is_read_whatever_its_manager_names_it(tmp_path, rotated, log, while_stopped):
    assert log in original_names(rotated)
    path = tmp_path / log
    append(path, "one")
    os.utime(path, (1, 1))
    daemon = VirtualDaemon({"t": reading_from_start(path)})
    if while_stopped:
        daemon.kill()
    path.rename(tmp_path / "first")
    append(path, "two")
    path.rename(tmp_path / rotated)
    append(path, "three")
    if while_stopped:
        daemon.start()
    daemon.poll_all()
    assert daemon.lines() == ["one", "two", "three"]
