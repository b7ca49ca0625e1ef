"""Run in a mount namespace of its own by test_neighbour.py: an ordinary user beside a hostile one.

Arguments: the number of seconds, the seed.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from notifyd.client.spool import spool_request
from notifyd.model.errors import NotifydError
from notifyd.model.spool import SYSTEM_SPOOL
from support.daemon import PLENTY, Daemon, told, wait_for
from support.platform import Platform, in_thread

SECONDS, SEED = float(sys.argv[1]), int(sys.argv[2])
UID = 54321
MOST_MIB = 160
JOB = f"j{os.getpid()}"
CONFIG = (
    PLENTY
    + """
[socket]
mode = "0666"
rate = {{ max = 100000, per = "1s" }}
[defaults]
debounce = "0s"
cooldown = "0s"
[triggers.own]
type = "log"
paths = ["{folder}/app.log"]
patterns = '^line \\d+$'
title = "{{{{ line }}}}"
[triggers.theirs]
type = "log"
paths = ["{folder}/theirs/**/*.log"]
patterns = 'line'
debounce = "1s"
cooldown = "5s"
cooldown_max = "5s"
[triggers.jobs]
type = "process"
name = "{job}"
user = "root"
[triggers.keeper]
type = "process"
name = "{job}-keeper"
"""
)


class Workspace(threading.Thread):
    """What has to arrive. written, ended: counts of lines and jobs. refused: answers of errors."""

    def __init__(self, daemon: Daemon, folder: Path) -> None:
        super().__init__(name="workspace")
        self.daemon_process, self.log = daemon, folder / "app.log"
        self.secret = folder / "root" / "secret.log"
        self.random = random.Random(SEED)
        self.written = self.ended = 0
        self.acknowledged: list[str] = []
        self.spooled: list[str] = []
        self.refused: list[str] = []
        self.longest = 0.0
        self.jobs: list[subprocess.Popen[bytes]] = []
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.wait(self.random.uniform(0.02, 0.2)):
            self._write()
            self._send()
            self._work()
        for job in self.jobs:
            job.wait()
        self.ended += len(self.jobs)

    def _write(self) -> None:
        with self.log.open("a") as log, self.secret.open("a") as secret:
            for _ in range(self.random.randrange(5)):
                self.written += 1
                log.write(f"line {self.written}\n")
            secret.write("line SECRET\n")
        if self.random.random() < 0.01:
            self.log.rename(self.log.with_name(f"app.log.{self.written}"))

    def _send(self) -> None:
        began = time.monotonic()
        try:
            self.acknowledged.append(self.daemon_process.send(title="a request"))
        except NotifydError as error:
            self.refused.append(str(error))
        self.longest = max(self.longest, time.monotonic() - began)
        if self.random.random() < 0.1:
            self.spooled.append(spool_request("send", {"title": "a spooled request"}))

    def _work(self) -> None:
        for job in [job for job in self.jobs if job.poll() is not None]:
            self.jobs.remove(job)
            self.ended += 1
        if len(self.jobs) < 4:
            seconds = str(self.random.uniform(2, 4))
            self.jobs.append(subprocess.Popen([JOB, seconds], executable="/bin/sleep"))


def main() -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "soak", "/var/spool"], check=True)
    spool = Path(SYSTEM_SPOOL)
    spool.mkdir()
    spool.chmod(0o1733)
    with in_thread(Platform()) as platform, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        drill(folder, spool, platform)


def drill(folder: Path, spool: Path, platform: Platform) -> None:
    theirs, root = folder / "theirs", folder / "root"
    for directory in (theirs, root):
        directory.mkdir()
    os.chown(theirs, UID, UID)
    root.chmod(0o700)
    with (
        Daemon(folder, platform, CONFIG.format(folder=folder, job=JOB)) as daemon,
        ExitStack() as stack,
    ):
        (folder / "run").chmod(0o755)
        workspace = Workspace(daemon, folder)
        (workspace.secret).touch()
        keeper = subprocess.Popen([f"{JOB}-keeper", "9999"], executable="/bin/sleep")
        stack.callback(keeper.wait)
        stack.callback(keeper.kill)  # it holds the pipe to the test open
        words = [theirs, daemon.socket, spool, workspace.secret, SECONDS + 600, JOB]
        with (folder / "neighbour.log").open("wb") as log:
            neighbour = subprocess.Popen(
                [sys.executable, Path(__file__).with_name("neighbour.py"), *map(str, words)],
                stdout=log,
                stderr=log,
                process_group=0,
            )
        peaks = []
        try:
            workspace.start()
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                time.sleep(1)
                peaks.append(resident_mib(daemon.process.pid))
                assert neighbour.poll() is None, (folder / "neighbour.log").read_text()
                assert daemon.process.poll() is None, daemon.log.read_text()[-3000:]
        finally:
            os.killpg(neighbour.pid, signal.SIGKILL)
            neighbour.wait()
            workspace.done.set()
            workspace.join()
        assert keeper.poll() is None
        reckon(daemon, workspace, platform, peaks)
        assert not (folder / "neighbour.log").read_text()


def reckon(daemon: Daemon, workspace: Workspace, platform: Platform, peaks: list[float]) -> None:
    asked = {*workspace.acknowledged, *workspace.spooled}

    def all_arrived() -> bool:
        counts = told(platform)
        has_all = counts["own"] >= workspace.written and counts["jobs"] >= workspace.ended
        return has_all and asked <= platform.delivered.keys() and daemon.quiet()

    def describe() -> str:
        missing = len(asked - platform.delivered.keys())
        return (
            f"{told(platform)} of {workspace.written} lines, {workspace.ended} jobs, {missing} of "
            f"{len(asked)} requests missing; {daemon.ask('GET', '/v1/status')}; "
            f"{daemon.log.read_text()[-3000:]}"
        )

    wait_for(all_arrived, 120, describe)
    counts = told(platform)
    messages = [message.json for message in platform.delivered.values()]
    lines = Counter(each["title"] for each in messages if each["data"]["trigger"] == "own")
    assert counts["own"] == workspace.written, describe()
    assert counts["jobs"] == workspace.ended, describe()
    assert counts["keeper"] == 0, describe()
    assert all(times == 1 for times in lines.values()), lines.most_common(3)
    assert workspace.refused == []
    assert not [each for each in messages if "SECRET" in str(each)]
    assert daemon.ask("GET", "/healthz")["success"]
    assert max(peaks) < MOST_MIB, peaks
    log = daemon.log.read_text()
    assert "Traceback" not in log, log[-5000:]
    print(
        f"{workspace.written} lines, {len(asked)} requests, {workspace.ended} jobs, "
        f"{counts['theirs']} lines of the neighbour, longest request {workspace.longest:.2f} s, "
        f"at most {max(peaks):.0f} MiB: the books balance"
    )


def resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


main()
