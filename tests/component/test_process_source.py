import json
import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from structlog.testing import capture_logs

from notifyd.sources.processes import procfs
from notifyd.sources.processes.connector import ProcessConnector
from support.logs import until
from support.processes import TIMING, reaped, running, watched
from support.recorder import Recorder

FORK = """
import os, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp(sys.argv[1], sys.argv[1:])
    os._exit(0)
os.wait()
"""
"""Starts a command that is an orphan."""

SHUN = """
import signal, subprocess, sys
subprocess.Popen(sys.argv[1:])
signal.pause()
"""
"""Starts a command and never reaps it."""

EXECS_LATER = """
import os, signal, sys
lifetime, held = os.pipe()
child = os.fork()
if child == 0:
    sys.stdin.readline()
    os.dup2(lifetime, 0)
    os.execvp("cat", ["cat"])
print(child, flush=True)
signal.pause()
"""
"""Prints the pid of a child that becomes `cat` when stdin is closed."""

MANY = """
import json, os, sys
codes = {}
for code in range(200):
    script = f"read x; exit {code}"
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", script, sys.argv[1]], os.environ)
    codes[pid] = str(code)
for pid in codes:
    os.waitpid(pid, 0)
print(json.dumps(codes))
"""
"""Starts 200 commands that exit with different statuses, and prints the status of each."""

pytestmark = pytest.mark.parametrize("connector", [False, True], ids=["search", "connector"])


@pytest.mark.parametrize(
    ("script", "facts", "words"),
    [
        ("read x; :", {"event": "exit", "exit_code": "0", "signal": ""}, "exited with status 0"),
        ("read x; exit 3", {"event": "failure", "exit_code": "3"}, "exited with status 3"),
        ("read x; kill -9 $$", {"exit_code": "", "signal": "SIGKILL"}, "was killed by SIGKILL"),
        ("read x; kill -36 $$", {"signal": "SIGRTMIN+2"}, "was killed by SIGRTMIN+2"),
    ],
)
async def test_an_exit_is_reported_with_its_status(script, facts, words, *, connector, tag, spawn):
    recorder = Recorder()
    child = spawn(script, tag)
    async with running(recorder, connector, job={"cmdline": tag}) as source:
        await recorder.until(lambda: watched(recorder) == {f"process:job:{child.pid}"})
        assert source.health().watching == 1
        assert recorder.events == []
        child.stdin.close()
        await reaped(child)
        await recorder.until(lambda: len(recorder.events) == 1)
    (event,) = recorder.events
    assert re.fullmatch(rf"sh \(pid {child.pid}\) {re.escape(words)} after \w+", event.line)
    assert facts.items() <= event.facts.items()
    assert event.facts["name"] == "sh"
    assert tag in event.facts["cmdline"]
    assert event.facts["pid"] == str(child.pid)
    assert watched(recorder) == set()


@pytest.mark.parametrize(
    ("end", "expected"),
    [("exit 0", ("0", "")), ("exit 3", ("3", "")), ("kill -9 $$", ("", "SIGKILL"))],
)
async def test_the_exit_of_an_orphan_is_reported_with_its_status(
    end, expected, *, connector, tag, spawn
):
    recorder = Recorder()
    async with running(recorder, connector, job={"cmdline": f"^sh .*{tag}"}):
        starter = spawn(f"read x; {end}", tag, [sys.executable, "-c", FORK, "sh", "-c"])
        await recorder.until(lambda: len(watched(recorder)) == 1)
        starter.stdin.close()
        await recorder.until(lambda: len(recorder.events) == 1)
    facts = recorder.events[0].facts
    assert (facts["exit_code"], facts["signal"]) == expected


async def test_a_trigger_on_failure_does_not_report_success(connector, tag, spawn):
    recorder = Recorder()
    async with running(recorder, connector, job={"cmdline": tag, "on": ["failure"]}):
        good, bad = spawn("read x; :", tag), spawn("read x; exit 1", tag)
        await recorder.until(lambda: len(watched(recorder)) == 2)
        for child in (good, bad):
            child.stdin.close()
            await reaped(child)
        await recorder.until(lambda: not watched(recorder))
    assert [event.facts["pid"] for event in recorder.events] == [str(bad.pid)]


async def test_a_start_is_reported_once_and_not_for_running_processes(connector, tag, spawn):
    recorder = Recorder()
    spawn("read x; :", tag)
    for _ in range(2):
        async with running(recorder, connector, job={"cmdline": tag, "on": ["start"]}):
            child = spawn("read x; :", tag)
            await recorder.until(
                lambda p=child.pid: str(p) in {e.facts["pid"] for e in recorder.events}
            )
    assert len(recorder.events) == 2
    assert recorder.lines[-1] == f"sh (pid {child.pid}) started"


async def test_after_a_restart_processes_stay_watched_and_exits_are_reported(connector, tag, spawn):
    recorder = Recorder()
    keys = {"cmdline": tag, "on": ["exit", "start"]}
    stays, goes = spawn("read x; :", tag), spawn("read x; :", tag)
    async with running(recorder, connector, job=keys):
        await recorder.until(lambda: len(watched(recorder)) == 2)
    goes.stdin.close()
    await reaped(goes)
    async with running(recorder, connector, job=keys):
        await recorder.until(lambda: len(recorder.events) == 1)
        assert watched(recorder) == {f"process:job:{stays.pid}"}
        stays.stdin.close()
        await reaped(stays)
        await recorder.until(lambda: len(recorder.events) == 2)
    first, second = recorder.lines
    assert first == (f"sh (pid {goes.pid}) ended while notifyd was not running, status unknown")
    assert second.startswith(f"sh (pid {stays.pid}) exited with status 0 after ")


async def test_a_reboot_under_a_process_is_a_failure(connector, tag, spawn):
    recorder = Recorder()
    child = spawn("read x; :", tag)
    keys = {"cmdline": tag, "on": ["failure"]}
    async with running(recorder, connector, job=keys):
        await recorder.until(lambda: len(watched(recorder)) == 1)
    async with running(recorder, connector, boot="the-next-boot", job=keys):
        await recorder.until(lambda: len(recorder.events) == 1)
    assert recorder.lines == [
        f"sh (pid {child.pid}) ended when the machine restarted, status unknown"
    ]


async def test_a_reused_pid_is_another_process(connector, tag, spawn):
    child = spawn("read x; :", tag)
    recorder = Recorder()
    async with running(recorder, connector, job={"cmdline": tag}):
        await recorder.until(lambda: len(watched(recorder)) == 1)
    (key,) = watched(recorder)
    kept = json.loads(recorder.checkpoints[key])
    recorder.checkpoints[key] = json.dumps(kept | {"start": kept["start"] - 1})
    async with running(recorder, connector, job={"cmdline": tag}):
        await recorder.until(lambda: len(recorder.events) == 1 and watched(recorder) == {key})
    assert "ended while notifyd was not running" in recorder.lines[0]
    assert json.loads(recorder.checkpoints[key])["pid"] == child.pid


async def test_a_zombie_that_is_never_reaped_is_reported_with_its_status(connector, tag, spawn):
    recorder = Recorder()
    async with running(recorder, connector, job={"cmdline": f"^sh .*{tag}"}):
        parent = spawn("read x; exit 7", tag, [sys.executable, "-c", SHUN, "sh", "-c"])
        await recorder.until(lambda: len(watched(recorder)) == 1)
        parent.stdin.close()
        await recorder.until(lambda: len(recorder.events) == 1)
        assert parent.poll() is None
    assert recorder.events[0].facts["exit_code"] == "7"


async def test_names_match_executable_argv0_and_a_scripts_own_name(connector, tag, spawn, tmp_path):
    script = tmp_path / f"t{tag[-8:]}.sh"
    script.write_text("#!/bin/sh\nread x\n")
    script.chmod(0o700)
    called = f"c{tag[-8:]}"
    recorder = Recorder()
    triggers = {"script": {"name": script.name}, "argv0": {"name": called}}
    async with running(recorder, connector, **triggers):
        children = [
            spawn(str(script), tag, []),
            spawn("read x; :", tag, [f"/x/{called}", "-c"], executable="/bin/sh"),
        ]
        await recorder.until(lambda: len(watched(recorder)) == 2)
        for child in children:
            child.stdin.close()
            await reaped(child)
        await recorder.until(lambda: len(recorder.events) == 2)
    assert {(e.trigger, e.facts["name"]) for e in recorder.events} == {
        ("script", script.name),
        ("argv0", called),
    }


async def test_a_shell_that_execs_becomes_what_it_runs(connector, tag, spawn):
    recorder = Recorder()
    async with running(recorder, connector, job={"cmdline": f"^cat .*{tag}"}):
        child = spawn(
            f"read x; exec cat -- /dev/null - /{tag}-no", "first", stderr=subprocess.DEVNULL
        )
        child.stdin.write(b"go\n")
        child.stdin.flush()
        await recorder.until(lambda: watched(recorder) == {f"process:job:{child.pid}"})
        child.stdin.close()
        await reaped(child)
        await recorder.until(lambda: len(recorder.events) == 1)
    assert recorder.events[0].facts["exit_code"] == "1"


async def test_a_forked_copy_that_execs_is_not_matched_as_its_parent(connector, tag, spawn):
    recorder = Recorder()
    keys = {"cmdline": f"^sh -c .*{tag}", "on": ["exit", "start"]}
    async with running(recorder, connector, job=keys):
        loop = "read x; i=0; while [ $i -lt 100 ]; do /bin/true; i=$((i+1)); done"
        child = spawn(loop, tag)
        await recorder.until(lambda: len(recorder.events) == 1)
        child.stdin.close()
        await reaped(child)
        await recorder.until(lambda: not watched(recorder))
    assert {event.facts["pid"] for event in recorder.events} == {str(child.pid)}


async def test_two_hundred_processes_each_end_with_their_own_status(connector, tag, spawn):
    recorder = Recorder()
    async with running(recorder, connector, job={"cmdline": f"^sh -c .*{tag}"}):
        parent = spawn(MANY, tag, [sys.executable, "-c"], stdout=subprocess.PIPE)
        await recorder.until(lambda: len(watched(recorder)) == 200)
        parent.stdin.close()
        await recorder.until(lambda: len(recorder.events) == 200)
        codes = json.load(parent.stdout)
    reported = {event.facts["pid"]: event.facts["exit_code"] for event in recorder.events}
    assert reported == codes
    assert watched(recorder) == set()


async def test_a_pidfile_is_followed_as_it_changes(connector, tag, spawn, tmp_path):
    recorder, pidfile = Recorder(), tmp_path / "app.pid"
    children = [spawn("read x; :", tag) for _ in range(2)]
    async with running(recorder, connector, job={"pidfile": str(pidfile)}):
        for child in children:
            pidfile.write_text(f"{child.pid}\n")
            await recorder.until(lambda p=child.pid: watched(recorder) == {f"process:job:{p}"})
            child.stdin.close()
            await reaped(child)
            await recorder.until(lambda: not watched(recorder))
    assert [event.facts["pid"] for event in recorder.events] == [str(c.pid) for c in children]


async def test_a_pidfile_is_read_again_once_its_process_has_execed(connector, tag, spawn, tmp_path):
    recorder, pidfile = Recorder(), tmp_path / "app.pid"
    forked = spawn(EXECS_LATER, tag, [sys.executable, "-c"], stdout=subprocess.PIPE)
    pid = int(forked.stdout.readline())
    pidfile.write_text(str(pid))
    keys = {"pidfile": str(pidfile), "cmdline": "^cat"}
    async with running(recorder, connector, job=keys):
        assert watched(recorder) == set()
        forked.stdin.close()
        await recorder.until(lambda: watched(recorder) == {f"process:job:{pid}"})


async def test_an_outdated_pidfile_selects_no_process(connector, tag, spawn, tmp_path):
    recorder, pidfile = Recorder(), tmp_path / "app.pid"
    child = spawn("read x; :", tag)
    pidfile.write_text(str(child.pid))
    os.utime(pidfile, (0, 0))
    async with running(recorder, connector, job={"pidfile": str(pidfile)}) as source:
        (problem,) = source.health().messages
    assert f"{pidfile} is out of date: pid {child.pid} started after the file" in problem
    assert watched(recorder) == set()


async def test_a_pid_is_watched_and_a_missing_one_is_a_problem(connector, tag, spawn):
    recorder, child = Recorder(), spawn("read x; :", tag)
    gone = spawn("exit 0", tag)
    await reaped(gone)
    async with running(
        recorder, connector, here={"pid": child.pid}, gone={"pid": gone.pid}
    ) as source:
        assert watched(recorder) == {f"process:here:{child.pid}"}
        (problem,) = source.health().messages
        assert f"pid {gone.pid} was not running" in problem
        child.kill()
        await reaped(child)
        await recorder.until(lambda: len(recorder.events) == 1)
    assert recorder.events[0].facts["signal"] == "SIGKILL"


async def test_user_restricts_matches_and_the_daemon_never_watches_itself(connector, tag, spawn):
    recorder, child = Recorder(), spawn("read x; :", tag)
    triggers = {
        "mine": {"cmdline": tag, "user": str(os.getuid())},
        "other": {"cmdline": tag, "user": "nobody"},
        "all": {"cmdline": ".", "user": str(os.getuid())},
    }
    async with running(recorder, connector, **triggers):
        assert f"process:mine:{child.pid}" in watched(recorder)
    assert not any(key.startswith("process:other:") for key in watched(recorder))
    assert f"process:all:{os.getpid()}" not in watched(recorder)


class SlowScan(ThreadPoolExecutor):
    """Holds the result of the second scan back until it is released."""

    def __init__(self):
        super().__init__(1)
        self.scans, self.released = 0, threading.Event()

    def submit(self, work, *args):
        def found():
            result = work(*args)
            self.scans += 1
            if self.scans == 2:
                self.released.wait()
            return result

        return super().submit(found)

    def shutdown(self, **options):
        self.released.set()
        super().shutdown(**options)


@pytest.mark.parametrize("max_pidfds", [None, 0])
async def test_an_exit_is_reported_once_though_a_scan_had_found_the_process(
    max_pidfds, *, connector, tag, spawn
):
    if connector:
        pytest.skip("scans are rare with the connector")
    recorder, child = Recorder(), spawn("read x; :", tag)
    with SlowScan() as executor:
        options = {"max_pidfds": max_pidfds, "executor": executor}
        async with running(recorder, connector, job={"cmdline": tag}, **options):
            await until(lambda: executor.scans == 2)
            child.kill()
            await until(lambda: procfs.read_stat(child.pid).is_zombie)
            if max_pidfds is None:
                await recorder.until(lambda: recorder.events)
            executor.released.set()
            await until(lambda: executor.scans >= 5)
    assert len(recorder.events) == 1


async def test_without_descriptors_processes_are_polled_and_health_says_so(connector, tag, spawn):
    recorder, child = Recorder(), spawn("read x; :", tag)
    async with running(recorder, connector, job={"cmdline": tag}, max_pidfds=0) as source:
        (problem,) = source.health().messages
        assert problem.startswith("1 process is polled")
        assert "LimitNOFILE=" in problem
        child.stdin.close()
        await reaped(child)
        await recorder.until(lambda: len(recorder.events) == 1)
    assert recorder.lines[0].startswith(f"sh (pid {child.pid}) e")


async def test_while_a_start_and_an_exit_are_stored_no_problem_is_reported(connector, tag, spawn):
    class Asking(Recorder):
        """Reads the health of the source while a batch is being stored."""

        async def emit(self, batch):
            for source in asked:
                messages.extend(source.health().messages)
            await super().emit(batch)

    messages, asked, recorder = [], [], Asking()
    keys = {"cmdline": tag, "on": ["start", "exit"]}
    async with running(recorder, connector, job=keys) as source:
        asked.append(source)
        child = spawn("read x; :", tag)
        await recorder.until(lambda: len(recorder.events) == 1)
        child.stdin.close()
        await reaped(child)
        await recorder.until(lambda: len(recorder.events) == 2)
    assert messages == []


async def test_events_of_the_connector_are_enough(connector, tag, spawn, tmp_path):
    if not connector:
        pytest.skip("it needs the process connector")
    try:
        ProcessConnector.open().close()
    except OSError as error:
        pytest.skip(f"no process connector: {error}")
    recorder, script = Recorder(), tmp_path / "job"
    script.write_text("#!/bin/sh\nread code\nexit $code\n")
    script.chmod(0o700)
    keys = {"cmdline": tag, "on": ["start", "exit"]}
    rare = TIMING._replace(interval=600.0)
    async with running(recorder, connector, timing=rare, job=keys):
        for code in ("5", "6"):
            count = len(recorder.events)
            child = spawn(str(script), tag, [])
            await recorder.until(lambda n=count: len(recorder.events) == n + 1)
            child.stdin.write(f"{code}\n".encode())
            child.stdin.close()
            await reaped(child)
            await recorder.until(lambda n=count: len(recorder.events) == n + 2)
    codes = [event.facts.get("exit_code") for event in recorder.events]
    assert codes == [None, "5", None, "6"]


async def test_a_job_is_followed_beside_a_build(connector, tag, spawn):
    recorder, build = Recorder(), "while :; do /bin/true; done"
    async with running(
        recorder, connector, job={"cmdline": f"^sh .*{tag}", "on": ["start", "exit"]}
    ):
        spawn(build, "another-tag")
        for count in (2, 4, 6):
            child = spawn("read x; exit 5", tag)
            await recorder.until(lambda n=count: len(recorder.events) == n - 1)
            child.stdin.close()
            await reaped(child)
            await recorder.until(lambda n=count: len(recorder.events) == n)
    assert [event.facts.get("exit_code") for event in recorder.events] == [None, "5"] * 3


async def test_a_process_of_two_triggers_is_reported_for_each(connector, tag, spawn):
    recorder, child = Recorder(), spawn("read x; exit 4", tag)
    async with running(recorder, connector, a={"cmdline": tag}, b={"cmdline": tag}):
        child.stdin.close()
        await reaped(child)
        await recorder.until(lambda: len(recorder.events) == 2)
    assert sorted(event.trigger for event in recorder.events) == ["a", "b"]
    assert len([batch for batch in recorder.batches if batch.events]) == 1


async def test_changed_terms_arm_a_trigger_again_and_removed_triggers_are_deleted(
    connector, tag, spawn
):
    recorder, child = Recorder(), spawn("read x; :", tag)
    async with running(recorder, connector, a={"cmdline": tag}, b={"cmdline": tag}):
        pass
    async with running(recorder, connector, a={"cmdline": f"sh.*{tag}", "on": ["start"]}):
        left = {"process:a", f"process:a:{child.pid}"}
        await recorder.until(lambda: set(recorder.checkpoints) == left)
    assert recorder.events == []


async def test_a_damaged_state_is_reported_once_and_the_others_are_restored(connector, tag, spawn):
    recorder, children = Recorder(), [spawn("read x; :", tag) for _ in range(2)]
    keys = {"cmdline": tag, "on": ["exit", "start"]}
    async with running(recorder, connector, job=keys):
        await recorder.until(lambda: len(watched(recorder)) == 2)
    before = dict(recorder.checkpoints)
    damaged, other = (f"process:job:{child.pid}" for child in children)
    recorder.checkpoints[damaged] = json.dumps(json.loads(before[damaged]) | {"start": "x"})
    with capture_logs() as logs:
        async with running(recorder, connector, job=keys) as source:
            await recorder.until(
                lambda: len(recorder.events) == 1 and recorder.checkpoints == before
            )
            await recorder.until(lambda: logs)
    (sentence,) = source.health().messages
    assert sentence.startswith(
        f"discarded the stored state of process {children[0].pid} for trigger job: "
    )
    assert [entry["event"] for entry in logs] == [sentence]
    assert recorder.lines == [f"sh (pid {children[0].pid}) started"]
    async with running(recorder, connector, job=keys) as source:
        assert source.health().messages == []
        assert {damaged, other} == watched(recorder)


@pytest.mark.parametrize("damage", ["x", "[]", '{"format": 2}', '{"pid": "1"}'])
async def test_a_trigger_with_damaged_terms_is_armed_again(connector, tag, spawn, damage):
    recorder, child = Recorder({"process:job": damage}), spawn("read x; :", tag)
    async with running(recorder, connector, job={"cmdline": tag, "on": ["start"]}) as source:
        assert watched(recorder) == {f"process:job:{child.pid}"}
        (sentence,) = source.health().messages
        assert sentence.startswith("discarded the stored selection of trigger job: ")
    assert recorder.events == []
