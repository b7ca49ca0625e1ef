"""The kernel's real limits: what inotify and descriptors cannot do is told once, and no line lost.

Limits are lowered for the daemon alone, in a user namespace of its own; this machine's stay.
"""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from asyncinotify import Inotify, Mask

from support.daemon import AT_ONCE, wait_for
from support.logs import append

CONFIG = AT_ONCE + 'body = "{{{{ line }}}}"\n'


def limited(setting, value):
    """Give the command that runs another with a lower limit, as the kernel counts it for it."""
    script = f'echo {value} > /proc/sys/user/{setting} && exec "$@"'
    return ("unshare", "--user", "--map-root-user", "sh", "-c", script, "sh")


def may_be_limited():
    command = [*limited("max_inotify_watches", 5), "true"]
    return (
        bool(shutil.which("unshare"))
        and not subprocess.run(command, check=False, capture_output=True).returncode
    )


namespaces = pytest.mark.skipif(not may_be_limited(), reason="no user namespaces to be had here")


class Watched:
    """A daemon over some logs, and each line that was written to them."""

    def __init__(self, make, platform, folder, paths, **options):
        self.platform, self.folder = platform, folder
        self.written = []
        self.daemon = make(CONFIG.format(paths=[f"{folder}/{path}" for path in paths]), **options)

    def write(self, *logs):
        for log in logs:
            self.written.append(f"line {len(self.written) + 1}")
            append(log, self.written[-1])

    def told(self, within=45.0):
        """Wait until every line was told, each once."""
        wait_for(lambda: set(self.written) <= set(self.lines()), within, self.missing)
        assert sorted(self.lines()) == sorted(self.written)

    def lines(self):
        messages = list(self.platform.delivered.values())
        return [m.json["body"] for m in messages if m.json["data"]["trigger"] == "t"]

    def missing(self):
        return sorted(set(self.written) - set(self.lines()))

    def problems(self):
        sources = self.daemon.ask("GET", "/v1/status")["sources"]
        [found] = [source["problems"] for source in sources if source["name"] == "log"]
        return found


@pytest.fixture
def watched(daemon, platform, tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()

    def make(*paths, **options):
        return Watched(daemon, platform, folder, paths, **options)

    return make


def rotated(log):
    log.rename(log.with_name(log.name + ".1"))


@namespaces
@pytest.mark.parametrize(
    ("setting", "value", "sysctl"),
    [
        ("max_inotify_watches", 3, "fs.inotify.max_user_watches"),
        ("max_inotify_instances", 0, "fs.inotify.max_user_instances"),
    ],
)
def test_at_a_limit_of_inotify_logs_are_polled(watched, tmp_path, setting, value, sysctl):
    one = watched("*/app.log", through=limited(setting, value))
    logs = [one.folder / str(number) / "app.log" for number in range(8)]
    for log in logs:
        log.parent.mkdir()
        append(log, "of old")
    one.daemon.start()
    [problem] = one.problems()
    assert sysctl in problem
    one.write(*logs)
    one.told()
    for log in logs:
        rotated(log)
    late = one.folder / "late" / "app.log"
    late.parent.mkdir()
    one.write(*logs, late)
    one.told()
    one.daemon.kill()
    one.write(*logs)
    one.daemon.start()
    one.write(*logs)
    one.told()
    assert len(one.problems()) == 1


def queue():
    return int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())


@pytest.mark.skipif(queue() > 20_000, reason="the kernel's queue is too long to fill here")
def test_what_did_not_fit_into_the_kernels_queue_is_found(watched):
    one = watched("*/app.log")
    logs = [one.folder / str(number) / "app.log" for number in range(3)]
    for log in logs:
        log.parent.mkdir()
        append(log)
    one.daemon.start()
    one.write(*logs)
    one.told()
    with Inotify(sync_timeout=0) as proof:
        proof.add_watch(logs[0].parent, Mask.CREATE | Mask.DELETE)
        one.daemon.process.send_signal(signal.SIGSTOP)
        other = logs[0].parent / "other"
        for _ in range(queue() // 2 + 10):
            os.close(os.open(other, os.O_CREAT | os.O_WRONLY, 0o644))
            other.unlink()
        one.write(*logs)
        rotated(logs[1])
        late = one.folder / "late" / "app.log"
        late.parent.mkdir()
        one.write(*logs, late)
        one.daemon.process.send_signal(signal.SIGCONT)
        assert any(event.mask & Mask.Q_OVERFLOW for event in iter(proof.sync_get, None))
    one.told()
    one.write(*logs, late)
    one.told()
    assert one.problems() == []


OVERLAY = """
mkdir lower upper work merged
echo "line of old" > lower/app.log
cp lower/app.log lower/other.log
mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged && exec "$@"
"""


@namespaces
def test_a_log_that_an_overlay_copies_up_is_read_on(watched, tmp_path):
    """A file of an image is another file from the first write on, also for who has it open."""
    one = watched("merged/*.log", through=("unshare", "-Urm", "sh", "-c", OVERLAY, "sh"))
    one.daemon.start(cwd=one.folder)
    inside = Path(f"/proc/{one.daemon.process.pid}/root{one.folder}/merged")
    for _ in range(3):
        one.write(inside / "app.log")
        one.told()
    rotated(inside / "other.log")
    one.write(inside / "app.log", inside / "other.log")
    one.told()


@pytest.mark.skipif(not shutil.which("prlimit"), reason="no prlimit to be had here")
def test_with_few_descriptors_many_logs_are_followed(watched, platform):
    one = watched("*.log", "many/*.log", through=("prlimit", "--nofile=64"))
    logs = [one.folder / f"{number}.log" for number in range(60)]
    more = [one.folder / "many" / f"{number}.log" for number in range(60)]
    more[0].parent.mkdir()
    for log in logs + more:
        append(log, "of old")
    one.daemon.start()
    one.write(*logs, *more, *logs)
    one.told()
    said = [problem for problem in one.problems() if "LimitNOFILE" in problem]
    assert len(said) == 1, said
    assert len(one.problems()) == 1
    for log in logs[::2]:
        rotated(log)
    one.write(*logs, *more)
    one.told()
    os.truncate(more[3], 0)
    one.write(*more)
    one.told()
    sent = [one.daemon.send(title="hello") for _ in range(20)]  # the socket and the store work
    one.daemon.kill()
    for log in more[::2]:
        rotated(log)
    one.write(*more, *logs)
    one.daemon.start()
    wait_for(lambda: set(sent) <= set(platform.delivered))
    one.told()
    assert "Traceback" not in one.daemon.log.read_text()
