"""Managers that rotate by names of their own, with their default sizes: every line comes once."""

import os
import shutil
import subprocess

import pytest

from notifyd.sources.logs.discovery.rotated_files import original_names
from support.logs import VirtualDaemon, append, reading_from_start, running, trigger, until

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


def sh(script, cwd):
    subprocess.run(["sh", "-ec", script], cwd=cwd, check=True)


async def test_generations_renamed_to_any_name_between_two_looks_are_read(tmp_path):
    append(tmp_path / "app.log", "before")
    async with running(trigger(tmp_path / "app.log")) as seen:
        sh(
            "echo one >> app.log; mv app.log saved-by-hand; echo two > app.log; mv app.log tmp;"
            "mv tmp elsewhere; echo three > app.log; mv app.log third; echo four > app.log",
            tmp_path,
        )
        await seen.until(lambda: len(seen.lines) == 4)
        assert sorted(seen.lines) == ["four", "one", "three", "two"]
        assert not seen.source.health().problems


async def test_generations_deleted_before_they_were_read_are_counted(tmp_path):
    append(tmp_path / "app.log", "before")
    async with running(trigger(tmp_path / "app.log")) as seen:
        sh(
            "mv app.log a; echo lost > app.log; mv app.log b; echo lost > app.log; mv app.log c;"
            "rm a b c; echo last > app.log",
            tmp_path,
        )
        await seen.until(lambda: "last" in seen.lines)
        lost = f"{tmp_path}/app.log lost 2 generations, deleted before being read"
        await until(lambda: any(p.message.startswith(lost) for p in seen.source.health().problems))


def test_the_counts_of_lost_generations_survive_a_restart(tmp_path):
    log = tmp_path / "app.log"
    append(log, "one")
    os.utime(log, (1_000, 1_000))
    daemon = VirtualDaemon({"t": reading_from_start(log)})
    daemon.kill()
    append(log, "lost")
    os.utime(log, (2_000, 2_000))
    sh("mv app.log app.log.1; gzip app.log.1; echo two > app.log", tmp_path)
    daemon.start()
    problems = daemon.problems
    assert len(problems) == 1
    daemon.restart()
    assert daemon.problems == problems
    daemon.triggers = {"t": reading_from_start(tmp_path / "other.log")}
    daemon.restart()
    assert daemon.problems == []


@pytest.mark.parametrize("is_lost", [False, True])
def test_what_is_compressed_before_it_is_read_is_counted(tmp_path, is_lost):
    log = tmp_path / "app.log"
    append(log, "one")
    os.utime(log, (1_000, 1_000))
    daemon = VirtualDaemon({"t": reading_from_start(log)})
    daemon.kill()
    if is_lost:
        append(log, "lost")
        os.utime(log, (2_000, 2_000))
    sh("mv app.log app.log.1; gzip app.log.1; echo two > app.log", tmp_path)
    daemon.start()
    daemon.poll_all()
    assert daemon.lines() == ["one", "two"]
    lost = f"{log} lost 1 generation, compressed before being read; "
    assert [problem.startswith(lost) for problem in daemon.problems] == [True] * is_lost


def test_a_log_that_is_rotated_and_compressed_at_once_loses_nothing(tmp_path):
    log = tmp_path / "app.log"
    append(log, "one")
    daemon = VirtualDaemon({"t": reading_from_start(log)})
    for number in range(3):
        append(log, f"late {number}")
        os.utime(log, (2_000 + number, 2_000 + number))
        sh(f"mv app.log app.log.{number}; gzip app.log.{number}; echo {number} > app.log", tmp_path)
        daemon.poll_all()
    assert sorted(daemon.lines()) == ["0", "1", "2", "late 0", "late 1", "late 2", "one"]
    assert daemon.problems == []
