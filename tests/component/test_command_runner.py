"""The process that runs commands: results, limits, and that it leaves nothing behind."""

import asyncio
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import closing, suppress
from pathlib import Path

import pytest

from notifyd.model.errors import SourceError
from notifyd.sources.probes.commands import runner_process
from notifyd.sources.probes.commands.environment import base_environment
from notifyd.sources.probes.commands.runner import CommandRequest, CommandRunner
from support.commands import long_sleep, pids_of, wait_until_gone, wait_until_running

ROOT_ONLY = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv"
)


@pytest.fixture
async def runner():
    async with CommandRunner() as running:
        yield running


def request(*argv, **fields):
    given = {"name": "t", "env": base_environment(os.environ), "cwd": "/", "timeout": 60.0}
    return CommandRequest(argv=argv, **(given | fields))


def shell(script, **fields):
    return request("/bin/sh", "-c", script, **fields)


async def test_the_status_and_both_outputs_come_back(runner):
    result = await runner.run(shell("echo out; echo err >&2; exit 3"))
    assert (result.status, result.out, result.err) == (3, b"out\n", b"err\n")


async def test_joined_outputs_keep_their_order(runner):
    result = await runner.run(shell("echo a; echo b >&2; echo c", is_joined=True))
    assert (result.out, result.err) == (b"a\nb\nc\n", b"")


async def test_a_signal_is_a_negative_status(runner):
    assert (await runner.run(shell("kill -SEGV $$"))).status == -11


async def test_of_a_long_output_the_beginning_and_the_end_are_kept(runner):
    script = "echo first; yes line | head -n 100000; echo last"
    result = await runner.run(shell(script))
    assert result.out.startswith(b"first\nline\n")
    assert result.out.endswith(b"\nline\nlast\n")
    assert "bytes left out" in result.out.decode()
    assert len(result.out) < runner_process.HEAD_KEPT + runner_process.TAIL_KEPT + 100


async def test_any_bytes_pass(runner):
    result = await runner.run(shell(r"printf '\377\0\303\244\n'"))
    assert result.out == b"\xff\0\xc3\xa4\n"


@pytest.mark.parametrize(
    ("content", "mode", "reason"),
    [
        (None, 0, "No such file or directory"),
        ("#!/bin/sh\n", 0o644, "Permission denied"),
        ("echo x\n", 0o755, "neither a program nor a script"),
        ("#!/no/such/shell\n", 0o755, "the interpreter in its first line does not exist"),
    ],
)
async def test_what_cannot_be_started_is_one_sentence(runner, tmp_path, content, mode, reason):
    program = tmp_path / "program"
    if content is not None:
        program.write_text(content)
        program.chmod(mode)
    result = await runner.run(request(str(program)))
    assert result.status is None
    assert result.error.startswith(f"cannot start {program}: ")
    assert reason in result.error


async def test_a_program_is_looked_for_in_the_path(runner):
    assert (await runner.run(request("true"))).status == 0
    result = await runner.run(request("no-such-program", env={"PATH": "/bin:/usr/bin"}))
    assert result.error.startswith("cannot start no-such-program: no such program in PATH; ")


async def test_a_missing_directory_is_one_sentence(runner):
    result = await runner.run(request("true", cwd="/no/such"))
    assert result.error == "cannot enter the directory /no/such: No such file or directory"


async def test_the_whole_group_is_killed_at_the_timeout(runner):
    sleep = long_sleep()
    result = await runner.run(shell(f"echo begun; {sleep} & {sleep}", timeout=0.5))
    assert (result.status, result.error) == (None, "")
    await asyncio.to_thread(wait_until_gone, sleep)


async def test_what_a_command_leaves_behind_neither_delays_the_result_nor_stays(runner):
    sleep = long_sleep()
    result = await runner.run(shell(f"{sleep} & echo done"))
    assert (result.status, result.out) == (0, b"done\n")
    await asyncio.to_thread(wait_until_gone, sleep)


async def test_leaving_the_runner_kills_what_runs():
    sleep = long_sleep()
    async with CommandRunner() as runner:
        running = asyncio.create_task(runner.run(shell(f"{sleep} & wait")))
        await asyncio.to_thread(wait_until_running, sleep)
        running.cancel()
    await asyncio.to_thread(wait_until_gone, sleep)
    with suppress(asyncio.CancelledError):
        await running


async def test_a_runner_that_is_cancelled_while_it_starts_is_waited_for():
    runner = CommandRunner()
    entering = asyncio.create_task(runner.__aenter__())
    await asyncio.sleep(0)  # it begins
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert runner._process.returncode == 0


async def test_a_command_does_not_outlive_a_runner_that_is_killed():
    sleep = long_sleep()
    async with CommandRunner() as runner:
        running = asyncio.create_task(runner.run(request(*sleep.split())))
        await asyncio.to_thread(wait_until_running, sleep)
        runner._process.kill()
        with pytest.raises(SourceError):
            await running
        with pytest.raises(SourceError):
            await runner.run(request("true"))
    await asyncio.to_thread(wait_until_gone, sleep)


async def test_commands_run_beside_each_other_and_one_trigger_has_one(runner, tmp_path):
    os.mkfifo(tmp_path / "gate")
    waiting = asyncio.create_task(runner.run(request("cat", str(tmp_path / "gate"))))
    second = await runner.run(request("echo", "x", name="other"))
    assert second.out == b"x\n"
    again = await runner.run(request("echo", "x"))
    assert "has not ended yet" in again.error
    await asyncio.to_thread((tmp_path / "gate").write_text, "go")
    assert (await waiting).out == b"go"


async def test_commands_get_nothing_that_is_the_daemons(monkeypatch):
    withheld = {
        *("NOTIFYD_SEND_TOKEN", "OBLIEN_SEND_TOKEN", "SEND_TOKEN", "OBLIEN_CLIENT_ID"),
        *("OBLIEN_CLIENT_SECRET", "CREDENTIALS_DIRECTORY", "LISTEN_FDS", "LISTEN_PID"),
        *("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"),
    }
    for name in withheld:
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("LC_TIME", "C")
    with closing(socket.socket()) as inherited:
        inherited.set_inheritable(True)
        async with CommandRunner() as runner:
            env = base_environment(os.environ) | {"OWN": "mine"}
            result = await runner.run(shell("env; readlink /proc/self/fd/*; tty", env=env))
    lines = result.out.decode().splitlines()
    given = dict(line.split("=", 1) for line in lines if "=" in line)
    assert not given.keys() & withheld
    assert (given["OWN"], given["LC_TIME"]) == ("mine", "C")
    assert {"PATH", "HOME"} <= given.keys()
    assert not any("socket:" in line for line in lines)
    assert "not a tty" in lines


def ask(through, argv):
    """Let a runner that is started through another program run one command."""
    ours, theirs = socket.socketpair()
    source = Path(runner_process.__file__).read_text()  # another user may not read the file
    with theirs:
        process = subprocess.Popen(
            [*through, sys.executable, "-I", "-S", "-c", source], stdin=theirs.fileno()
        )
    fields = {"id": 1, "name": "t", "argv": argv, "env": {"PATH": os.defpath}, "cwd": "/"}
    with ours, ours.makefile("rw") as stream:
        stream.write(json.dumps(fields | {"timeout": 60.0, "is_joined": False}) + "\n")
        stream.flush()
        reply = json.loads(stream.readline())
    process.wait(60)
    return reply


def as_nobody(*options):
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *options]


@ROOT_ONLY
def test_commands_run_without_the_capabilities_of_the_daemon():
    granted = ["--inh-caps=+sys_ptrace", "--ambient-caps=+sys_ptrace"]
    reply = ask(as_nobody(*granted), ["grep", "Cap", "/proc/self/status"])
    sets = dict(line.split(":\t") for line in reply["out"].splitlines())
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(sets[name], 16) == 0, name


@ROOT_ONLY
def test_a_program_that_needs_denied_privileges_is_refused_in_a_sentence():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        program = Path(folder) / "check_icmp"
        shutil.copy(shutil.which("true"), program)
        program.chmod(0o4755)
        reply = ask(as_nobody("--no-new-privs"), [str(program)])
        assert reply["error"].startswith(f"cannot start {program}: it needs privileges")
        assert ask(as_nobody(), [str(program)])["status"] == 0


def test_a_command_that_cannot_be_started_leaves_no_descriptors():
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", runner_process.__file__], stdin=theirs.fileno()
        )
    fields = {"name": "t", "argv": ["true"], "env": {"PATH": os.defpath}, "cwd": "/"}
    line = json.dumps({"id": 1, "timeout": 60.0, "is_joined": False} | fields).encode() + b"\n"
    with ours, ours.makefile("rb") as replies:
        ours.sendall(line)
        assert json.loads(replies.readline())["status"] == 0
        free = max(int(entry.name) for entry in Path(f"/proc/{process.pid}/fd").iterdir()) + 1
        hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)[1]
        for more, outcome in ((5, "error"), (5, "error"), (8, "status")):
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (free + more, hard))
            ours.sendall(line)
            assert outcome in json.loads(replies.readline())
    assert process.wait(60) == 0


def test_a_runner_that_is_asked_to_stop_reports_nothing_and_leaves_nothing():
    """A service manager sends SIGTERM to the daemon and its children at once."""
    sleep = long_sleep()
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", runner_process.__file__], stdin=theirs.fileno()
        )
    fields = {"id": 1, "name": "t", "argv": sleep.split(), "env": {"PATH": os.defpath}, "cwd": "/"}
    with ours:
        ours.sendall(json.dumps(fields | {"timeout": 60.0, "is_joined": False}).encode() + b"\n")
        wait_until_running(sleep)
        process.terminate()
        wait_until_gone(sleep)
        ours.shutdown(socket.SHUT_WR)
        assert ours.recv(1000) == b""
    assert process.wait(60) == 0
    assert not pids_of(sleep)
