import os
import re
import threading
from pathlib import Path

import pytest

from notifyd.config.triggers import ProcessTriggerConfig
from notifyd.sources.processes import procfs
from notifyd.sources.processes.jobs import is_wrapper
from notifyd.sources.processes.process_match import ProcessMatch
from notifyd.sources.processes.procfs import Process, ProcessStat
from notifyd.sources.processes.scanner import ProcessScanner
from notifyd.sources.processes.selector import ProcessSelector, ProcessTerms
from notifyd.sources.processes.watched import ExitInfo, WatchedProcess, exit_event, start_event
from notifyd.sources.stored_values import CheckpointValueError
from support.stored import changed, golden


def process(*arguments, command="", executable=""):
    return Process(
        1, ProcessStat(command, is_zombie=False, is_copy=False, start=0), executable, arguments
    )


def selector(**keys):
    return ProcessSelector(ProcessTriggerConfig.model_validate(keys))


@pytest.mark.parametrize(
    ("found", "name", "shown"),
    [
        (process("/usr/bin/nginx", command="nginx"), "nginx", "nginx"),
        (process("nginx: worker process", command="nginx"), "nginx", "nginx"),
        (process("-bash", command="bash"), "bash", "bash"),
        (process("python3", "./train.py", command="train.py"), "train.py", "train.py"),
        (process("python3", "train.py", command="python3"), "python3", "python3"),
        (process("x", executable="/opt/app/server"), "server", "x"),
        (
            process("a-name-longer-than-15", command="a-name-longer-"),
            "a-name-longer-than-15",
            "a-name-longer-than-15",
        ),
        (process("/srv/postgres: writer /x/y", command="postgres"), "postgres", "postgres"),
    ],
)
def test_a_process_matches_by_each_of_its_names(found, name, shown):
    assert selector(name=name).matches(found)
    assert not selector(name="another").matches(found)
    assert not selector(name=name[:-1]).matches(found)
    assert found.name == shown


def test_a_command_line_is_matched_with_spaces_between_its_arguments():
    found = process("python", "train.py", "--epochs", "3")
    assert selector(cmdline=r"train\.py --epochs \d").matches(found)
    assert not selector(cmdline=r"^train").matches(found)


def test_name_and_command_line_must_both_match():
    both = selector(name="python3", cmdline=r"train\.py( |$)")
    assert both.matches(process("/usr/bin/python3", "train.py", "--x"))
    assert not both.matches(process("tail", "-f", "train.py"))
    assert not both.matches(process("python3", "eval.py"))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("sh", "-c", "train.py"), True),
        (("/bin/bash", "-l", "-ec", "train.py"), True),
        (("bash", "train.sh", "-c"), False),
        (("bash", "--norc", "-c", "x"), True),
        (("train.py", "-c", "sleep 2"), False),
        (("/usr/bin/nohup", "train.py"), True),
        (("python3", "train.py"), False),
    ],
)
def test_a_wrapper_is_recognized_by_its_name_and_options(arguments, expected):
    found = process(*arguments, command="sh")
    assert is_wrapper(found, selector(cmdline="train")) is expected
    assert not is_wrapper(found, selector(name=Path(arguments[0]).name))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("python3 train.py", True),
        ("/home/me/.venv/bin/python3.12 -u /srv/train.py --epochs 3", True),
        ("./train.py", True),
        ("train.py -c sleep 2; exit 3", True),
        ("tail -f train.py.log", False),
        ("vim train.py", False),
        ("python3 train.py.bak", False),
        ("python3 pretrain.py", False),
    ],
)
def test_the_pattern_of_the_readme_matches_runs_of_the_script_only(line, expected):
    readme = Path(__file__).parents[2] / "README.md"
    (pattern,) = re.findall(r"^cmdline = '(.*)'$", readme.read_text(), re.MULTILINE)
    assert selector(cmdline=pattern).matches(process(*line.split())) is expected


def test_a_pattern_that_times_out_is_a_problem():
    slow = selector(cmdline="(a|aa)+[bc][bc]$")
    assert not slow.matches(process("a" * 40 + "b"))
    assert "backtracks without end" in slow.problem


@pytest.mark.parametrize("content", ["", "\n", "not a number", "-1", "0"])
def test_a_pidfile_without_a_pid_selects_no_process(tmp_path, content):
    file = tmp_path / "pid"
    file.write_text(content)
    assert selector(pidfile=str(file)).read_pidfile(0.0) is None


def test_a_pipe_in_place_of_a_pidfile_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pid")
    assert selector(pidfile=str(tmp_path / "pid")).read_pidfile(0.0) is None


@pytest.mark.parametrize(
    ("end", "failed", "code", "signal", "sentence"),
    [
        (ExitInfo(0, 252.0), False, 0, "", "exited with status 0 after 4m12s"),
        (ExitInfo(3 << 8, 0.5), True, 3, "", "exited with status 3 after 500ms"),
        (ExitInfo(9, 60.0), True, None, "SIGKILL", "was killed by SIGKILL after 1m"),
        (ExitInfo(11 | 0x80, 60.0), True, None, "SIGSEGV", "was killed by SIGSEGV after 1m"),
        (ExitInfo(36), True, None, "SIGRTMIN+2", "was killed by SIGRTMIN+2"),
        (ExitInfo(None, 3.0), False, None, "", "ended after 3s, status unknown"),
        (
            ExitInfo(while_stopped=True),
            False,
            None,
            "",
            "ended while notifyd was not running, status unknown",
        ),
        (
            ExitInfo(while_stopped=True, rebooted=True),
            True,
            None,
            "",
            "ended when the machine restarted, status unknown",
        ),
    ],
)
def test_an_exit_is_described(end, failed, code, signal, sentence):
    assert (end.is_failure, end.code, end.signal, end.describe()) == (
        failed,
        code,
        signal,
        sentence,
    )
    watched = WatchedProcess(7, 1, "boot", "app", "app --x", "me")
    event = exit_event("job", "", watched, 5.0, end)
    assert event.line == f"app (pid 7) {sentence}"
    assert event.facts["exit_code"] == ("" if code is None else str(code))
    assert event.facts["event"] == ("failure" if failed else "exit")


def test_a_start_shows_the_configured_name():
    watched = WatchedProcess(7, 1, "boot", "python3", "python3 train.py", "me")
    event = start_event("job", "train.py", watched, 5.0)
    assert (event.line, event.facts["name"]) == ("train.py (pid 7) started", "train.py")


def test_procfs_reads_this_process():
    found = procfs.read_process(os.getpid())
    assert found is not None
    assert found.executable == str(Path("/proc/self/exe").readlink())
    assert procfs.read_uid(os.getpid()) == os.geteuid()
    assert found.stat.started < procfs.uptime()
    assert os.getpid() in procfs.list_pids()


class ExecWhileRead:
    """A process in a directory like /proc that execs a job while the file `during` is first read.

    Its stat is read as it was before the exec, its arguments as they are after it.
    """

    PID, START = 4321, 1000

    def __init__(self, proc: Path, during: str) -> None:
        self._files, self._during = proc / str(self.PID), during
        self._files.mkdir()
        (self._files / "exe").symlink_to("/usr/bin/python3")
        self._write("stat", self._stat(flags=0x40))
        self._write("cmdline", "python3\0launch.py\0")
        (self._files / during).unlink()
        os.mkfifo(self._files / during)
        threading.Thread(target=self._exec, daemon=True).start()

    def _exec(self) -> None:
        with (self._files / self._during).open("w") as pipe:  # opens once it is read
            self._write("stat", self._stat(flags=0))
            self._write("cmdline", "job\0")
            pipe.write("job\0" if self._during == "cmdline" else self._stat(flags=0x40))

    def _write(self, name: str, text: str) -> None:
        new = self._files / "new"
        new.write_text(text)
        new.replace(self._files / name)

    def _stat(self, flags: int) -> str:
        fields = ["S", 0, self.PID, 0, 0, 0, flags, *[0] * 12, self.START, *[0] * 30]
        return f"{self.PID} (python3) {' '.join(map(str, fields))}"


@pytest.fixture(params=["stat", "cmdline"])
def exec_while_read(request, tmp_path, monkeypatch):
    monkeypatch.setattr(procfs, "_PROC", tmp_path)
    return ExecWhileRead(tmp_path, request.param)


def test_a_job_that_execs_while_it_is_searched_is_no_copy_of_an_ended_one(exec_while_read):
    scanner = ProcessScanner({"job": selector(name="job")}, wall=lambda: 0.0)
    assert procfs.list_pids() == [exec_while_read.PID]
    assert scanner.orphaned_copies(since=0) == []


@pytest.mark.parametrize("exec_while_read", ["cmdline"], indirect=True)
def test_a_process_that_execs_while_it_is_read_is_no_copy(exec_while_read):
    found = procfs.read_process(exec_while_read.PID)
    assert (found.arguments, found.stat.is_copy) == (("job",), False)


def test_procfs_returns_none_for_a_missing_process():
    beyond = (1 << 22) + 1
    assert (
        procfs.read_process(beyond) is procfs.read_stat(beyond) is procfs.read_uid(beyond) is None
    )


def test_the_state_of_a_process_is_written_as_before():
    key, value = golden("process-state")
    watched = WatchedProcess.decode("4242", value)
    assert (watched.identity, watched.user) == ((4242, 123456, "0f3c9a52-boot"), "root")
    assert (key, watched.encode()) == ("process:job:4242", value)
    assert WatchedProcess.decode("4242", changed(value, added_later=[1])) == watched


def test_the_terms_of_a_trigger_are_written_as_before():
    _, value = golden("process-terms")
    terms = selector(pidfile="/run/worker.pid", user="root").terms
    assert terms.encode() == value
    assert ProcessTerms.decode(changed(value, added_later=[1])) == terms


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ({"pid": 4243}, '"pid" must be 4242, not 4243'),
        ({"pid": 1 << 40}, '"pid" must be an integer from 1 to 4194304'),
        ({"start": "1"}, '"start" must be an integer'),
        ({"cmdline": None}, '"cmdline" must be a string, not null'),
        ({"format": 2}, "a newer version of notifyd wrote it in format 2"),
    ],
)
def test_a_damaged_state_is_refused(damage, reason):
    _, value = golden("process-state")
    with pytest.raises(CheckpointValueError) as refusal:
        WatchedProcess.decode("4242", changed(value, **damage))
    assert str(refusal.value).startswith(reason)


def test_what_a_job_left_behind_is_scanned_once_more_when_its_wait_is_over():
    scanner = ProcessScanner({"job": selector(cmdline="^no such process$")}, wall=lambda: 0.0)
    scanner.scan(frozenset())
    assert not scanner.needs_scan_soon
    scanner.postpone(ProcessMatch(os.getpid(), 1, "", "", "", ("job",)), wait=0.0)
    assert scanner.needs_scan_soon
    scanner.scan(frozenset())
    assert not scanner.needs_scan_soon


@pytest.mark.parametrize(
    ("exit_info", "expected"),
    [
        (ExitInfo(0, 4.0), True),
        (ExitInfo(None, 4.0), True),
        (ExitInfo(0, 6.0), False),
        (ExitInfo(1 << 8, 4.0), False),
        (ExitInfo(9, 4.0), False),
        (ExitInfo(while_stopped=True), False),
    ],
)
def test_a_launcher_ends_soon_and_without_a_failure(exit_info, expected):
    assert exit_info.is_launcher(5.0) is expected
