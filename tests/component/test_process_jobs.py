"""A job is reported once, at its end, whatever starts it and whatever it starts."""

import asyncio
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from notifyd.sources.probes.commands.runner import CommandRequest, CommandRunner
from notifyd.sources.processes import procfs
from support.commands import pids_of
from support.logs import until
from support.processes import SETTLED, TIMING, reaped, running, watched
from support.recorder import Recorder

FORKING = Path(__file__).parents[1] / "cases" / "forking_train.py"
PYTHON = Path(sys.executable).name
PATIENT = TIMING._replace(start_wait=600.0)
"""However busy the machine is, the job below a wrapper appears in time."""

JOB = "import sys; sys.stdin.readline(); sys.exit(4)"

LEAVES_A_COPY = """
import os
lifetime, held = os.pipe()
copy = os.fork()
if copy == 0:
    os.close(held)
    os.read(lifetime, 1)
    os.read(0, 1)
    os._exit(9)
print(copy, flush=True)
os.read(0, 1)
os._exit(4)
"""
"""Exits after a byte on stdin, and leaves a copy, whose pid it prints, until stdin is closed."""

DAEMON = """
import os, sys
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
sys.stdin.readline()
os._exit(5)
"""

pytestmark = pytest.mark.parametrize("connector", [False, True], ids=["search", "connector"])


async def line_of(child):
    """Return the next line that a process prints."""
    return await asyncio.get_running_loop().run_in_executor(None, child.stdout.readline)


def names(recorder):
    """Return the names of the watched processes, sorted."""
    return sorted(json.loads(recorder.checkpoints[key])["name"] for key in watched(recorder))


def codes(recorder):
    return [e.facts["exit_code"] for e in recorder.events if e.facts["event"] != "start"]


async def test_a_job_that_forks_workers_ends_once(connector, tag, spawn):
    recorder = Recorder()
    async with running(recorder, connector, job={"cmdline": tag}):
        child = spawn(str(FORKING), tag, [sys.executable], stdout=subprocess.PIPE)
        await line_of(child)
        await recorder.until(lambda: watched(recorder))
        await asyncio.sleep(SETTLED)
        child.stdin.write(b"\n")
        child.stdin.flush()
        await line_of(child)
        await asyncio.sleep(SETTLED)
        assert watched(recorder) == {f"process:job:{child.pid}"}
        child.stdin.close()
        await reaped(child)
        await recorder.until(lambda: recorder.events)
        await asyncio.sleep(SETTLED)
    assert codes(recorder) == ["3"]
    assert recorder.events[0].facts["pid"] == str(child.pid)


async def test_the_commands_of_probes_are_no_jobs(connector, tag, spawn):
    recorder = Recorder()
    async with CommandRunner() as runner, running(recorder, connector, job={"cmdline": tag}):
        request = CommandRequest("t", ["tail", "-f", "/dev/null", f"/{tag}"], {}, "/", 600.0)
        command = asyncio.create_task(runner.run(request))
        await until(lambda: pids_of(f"tail -f /dev/null /{tag}"))
        child = spawn("read line; exit 3", tag)
        await recorder.until(lambda: watched(recorder))
        await asyncio.sleep(SETTLED)
        assert watched(recorder) == {f"process:job:{child.pid}"}
        command.cancel()
        await asyncio.wait({command})


@pytest.mark.parametrize(
    "command",
    [
        ["nohup"],
        ["nice", "-n", "1"],
        ["bash", "-c", 'exec "$0" "$@"'],
        ["bash", "-ec", '"$0" "$@"; exit $?'],
        ["timeout", "600"],
        ["env", "A=1", "timeout", "600"],
        ["setsid", "--wait"],
        ["stdbuf", "-o0"],
        ["sh", "-c", 'timeout 600 "$0" "$@" | tee /dev/null; exit 1'],
        ["flock", "/tmp", "nice"],
        ["taskset", "1", "ionice", "-c3"],
    ],
    ids=lambda command: command[0],
)
async def test_the_job_below_a_wrapper_is_reported_under_its_own_name(
    command, *, connector, tag, spawn
):
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    recorder = Recorder()
    keys = {"cmdline": tag, "on": ["start", "exit"]}
    async with running(recorder, connector, timing=PATIENT, job=keys):
        child = spawn(JOB, tag, [*command, sys.executable, "-c"])
        await recorder.until(lambda: [e.facts["event"] for e in recorder.events] == ["start"])
        child.stdin.write(b"\n")
        child.stdin.flush()
        await recorder.until(lambda: len(recorder.events) == 2)
        child.stdin.close()
        await reaped(child)
        await recorder.until(lambda: not watched(recorder))
    assert codes(recorder) == ["4"]
    assert {event.facts["name"] for event in recorder.events} == {PYTHON}


async def test_a_wrapper_without_a_matching_process_below_it_is_the_job(connector, tag, spawn):
    recorder = Recorder()
    keys = {"cmdline": tag, "on": ["start", "exit"]}
    async with running(recorder, connector, job=keys):
        child = spawn("read x; exit 6", tag, ["timeout", "600", "sh", "-c"])
        await recorder.until(lambda: len(recorder.events) == 1)
        await asyncio.sleep(SETTLED)
        child.stdin.close()
        await reaped(child)
        await recorder.until(lambda: len(recorder.events) == 2)
    assert codes(recorder) == ["6"]
    assert {event.facts["name"] for event in recorder.events} == {"timeout"}


async def test_a_wrapper_is_the_job_if_it_is_named(connector, tag, spawn):
    recorder = Recorder()
    keys = {"name": "bash", "cmdline": tag}
    async with running(recorder, connector, job=keys):
        child = spawn(f"{sys.executable} -c '{JOB}' {tag}; exit 7", tag, ["bash", "-c"])
        other = spawn("read x", tag, ["sh", "-c"])
        await recorder.until(lambda: watched(recorder) == {f"process:job:{child.pid}"})
        other.stdin.close()
        await reaped(other)
        child.stdin.close()
        await reaped(child)
        await recorder.until(lambda: recorder.events)
    assert codes(recorder) == ["7"]


async def test_a_shell_that_runs_a_script_is_the_job(connector, tag, spawn, tmp_path):
    script = tmp_path / "train.sh"
    script.write_text(f"{sys.executable} -c '{JOB}' {tag}\nexit 8\n")
    recorder = Recorder()
    async with running(recorder, connector, job={"cmdline": tag}):
        child = spawn(str(script), tag, ["bash"])
        await recorder.until(lambda: watched(recorder) == {f"process:job:{child.pid}"})
        await asyncio.sleep(SETTLED)
        child.stdin.close()
        await reaped(child)
        await recorder.until(lambda: recorder.events)
        await asyncio.sleep(SETTLED)
    assert codes(recorder) == ["8"]


async def copy_left_by(child):
    """End a process that leaves a copy; return the copy's pid."""
    copy = int(await line_of(child))
    child.stdin.write(b"\n")
    child.stdin.flush()
    await reaped(child)
    return copy


async def test_a_copy_that_soon_ends_after_its_job_is_not_reported(connector, tag, spawn):
    recorder = Recorder()
    async with running(recorder, connector, job={"cmdline": tag}):
        child = spawn(LEAVES_A_COPY, tag, [sys.executable, "-c"], stdout=subprocess.PIPE)
        await recorder.until(lambda: watched(recorder))
        copy = await copy_left_by(child)
        await recorder.until(lambda: recorder.events)
        await asyncio.sleep(SETTLED)
        assert watched(recorder) == set()
        child.stdin.close()
        await until(lambda: procfs.read_process(copy) is None)
        await asyncio.sleep(SETTLED)
    assert codes(recorder) == ["4"]


async def test_a_copy_that_outlives_its_job_is_watched(connector, tag, spawn):
    recorder = Recorder()
    keys = {"cmdline": tag, "on": ["start", "exit"]}
    timing = TIMING._replace(leftover_wait=0.2)
    async with running(recorder, connector, timing=timing, job=keys):
        child = spawn(LEAVES_A_COPY, tag, [sys.executable, "-c"], stdout=subprocess.PIPE)
        await recorder.until(lambda: watched(recorder) == {f"process:job:{child.pid}"})
        copy = await copy_left_by(child)
        await recorder.until(lambda: watched(recorder) == {f"process:job:{copy}"})
        assert codes(recorder) == ["4"]
        child.stdin.close()
        await recorder.until(lambda: not watched(recorder))
    assert codes(recorder) in (["4", "9"], ["4", ""])  # nobody but init reaps it
    assert len(recorder.events) == 3  # what a job leaves behind starts no job


async def test_copies_of_a_job_that_ended_while_notifyd_was_stopped_are_not_reported(
    connector, tag, spawn
):
    recorder = Recorder()
    timing = TIMING._replace(leftover_wait=0.0)
    async with running(recorder, connector, timing=timing, job={"cmdline": tag}):
        child = spawn(
            LEAVES_A_COPY,
            tag,
            [sys.executable, "-c"],
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        await recorder.until(lambda: watched(recorder) == {f"process:job:{child.pid}"})
    await copy_left_by(child)
    async with running(recorder, connector, timing=timing, job={"cmdline": tag}):
        await recorder.until(lambda: recorder.events)
        await asyncio.sleep(SETTLED)
        assert watched(recorder) == set()
    assert len(recorder.events) == 1


async def test_a_daemon_that_forks_twice_is_the_job(connector, tag, spawn):
    recorder = Recorder()
    async with running(recorder, connector, job={"cmdline": tag}):
        launcher = spawn(DAEMON, tag, [sys.executable, "-c"])
        await reaped(launcher)
        gone = {f"process:job:{launcher.pid}"}
        await recorder.until(lambda: watched(recorder) and not watched(recorder) & gone)
        await asyncio.sleep(SETTLED)
        assert recorder.events == []
        assert len(watched(recorder)) == 1
        launcher.stdin.close()
        await recorder.until(lambda: recorder.events)
    assert codes(recorder) in (["5"], [""])  # nobody but init reaps it


async def test_the_end_of_a_log_comes_with_the_exit(connector, tag, spawn, tmp_path):
    log = tmp_path / "train.log"
    log.write_text("epoch 1\n 10%\r100%\nRuntimeError: no memory\n")
    recorder = Recorder()
    keys = {"cmdline": tag, "tail": str(log), "tail_lines": 2}
    async with running(recorder, connector, job=keys):
        child = spawn(JOB, tag, [sys.executable, "-c"])
        await recorder.until(lambda: watched(recorder))
        child.stdin.close()
        await reaped(child)
        await recorder.until(lambda: recorder.events)
    assert recorder.events[0].facts["after"] == "100%\nRuntimeError: no memory"


async def test_of_many_wrapped_jobs_each_is_reported_once(connector, tag, spawn):
    """Jobs that last longer than a scan: none is lost, doubled or taken for its wrapper."""
    recorder = Recorder()
    script = 'nice timeout 6000 "$0" "$@"; exit 1'
    async with running(recorder, connector, job={"cmdline": tag}):
        children = [spawn(JOB, tag, ["sh", "-c", script, sys.executable, "-c"]) for _ in range(20)]
        await recorder.until(lambda: names(recorder) == [PYTHON] * 20)
        for child in children:
            child.stdin.close()
        await recorder.until(lambda: len(recorder.events) >= 20)
        for child in children:
            await reaped(child)
        await recorder.until(lambda: not watched(recorder))
    assert codes(recorder) == ["4"] * 20
    assert {event.facts["name"] for event in recorder.events} == {PYTHON}


async def test_after_a_restart_a_wrapper_is_still_no_job(connector, tag, spawn):
    recorder = Recorder()
    keys = {"cmdline": tag, "on": ["start", "exit"]}
    script = '"$0" "$@"; exit 1'
    async with running(recorder, connector, timing=PATIENT, job=keys):
        child = spawn(JOB, tag, ["sh", "-c", script, sys.executable, "-c"])
        await recorder.until(lambda: len(recorder.events) == 1)
        assert names(recorder) == [PYTHON]
    # A new trigger is armed by the first scan.
    async with running(recorder, connector, job=keys, new={"cmdline": f"^no {tag}"}):
        assert names(recorder) == [PYTHON]
        child.stdin.close()
        await reaped(child)
        await recorder.until(lambda: not watched(recorder))
    assert codes(recorder) == ["4"]
    assert len(recorder.events) == 2
