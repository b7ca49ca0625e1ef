"""Run inside a booted systemd by test_journal.py: random operations on a journal and its reader.

Arguments: the trigger's units, the seed, the number of seconds.
"""

import random
import re
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter, deque
from contextlib import suppress
from pathlib import Path

from support.daemon import PLENTY, Daemon, wait_for
from support.platform import Platform, in_thread

UNITS, SEED, SECONDS = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
CONFIG = (
    PLENTY
    + rf"""
[defaults]
debounce = "0s"
cooldown = "0s"
[triggers.numbers]
type = "log"
journal = "{UNITS}"
patterns = '^number \d+$'
body = "{{{{ line }}}}"
"""
)
DROP_INS = {
    "journald.conf.d": "[Journal]\nRateLimitBurst=0\n",
    "system/systemd-journald.service.d": "[Unit]\nStartLimitIntervalSec=0\n",
}
BOOT = """
echo {boot} > /run/boot_id-{boot}
mount --bind /run/boot_id-{boot} /proc/sys/kernel/random/boot_id
systemctl restart systemd-journald
"""
_GAP = re.compile("the last entry that was read")


def run(*words):
    return subprocess.run(words, check=False, capture_output=True, text=True).stdout


class RandomOperations:
    """written: how many numbers. kept: those that the journal had. reported_lost: of these."""

    def __init__(self, daemon, platform):
        self.daemon, self.platform = daemon, platform
        self.random = random.Random(SEED)
        self.counts = Counter()
        self.history = deque(maxlen=40)
        """The last operations and their results, for the error message."""
        self.written = 0
        self.kept, self.reported_lost = set(), set()
        self.journald = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def run_one(self):
        (operation,) = self.random.choices(
            [
                self.write,
                self.write_noise,
                self.kill,
                self.rotate,
                self.vacuum,
                self.restart_journald,
                self.kill_journald,
                self.reboot,
                self.settle,
            ],
            [8, 5, 5, 3, 2, 1, 1, 1, 1],
        )
        self.counts[operation.__name__] += 1
        self.history.append(operation.__name__)
        operation()

    def write(self):
        first, self.written = self.written, self.written + self.random.randint(1, 60)
        self.history.append(f"{first} to {self.written - 1}")
        script = f"for i in $(seq {first} {self.written - 1}); do echo number $i; done"
        run("systemd-run", "--quiet", "--wait", "--unit=speaker", "sh", "-c", script)

    def write_noise(self):
        for number in range(self.random.randint(1, 1000)):
            text = f"MESSAGE=noise {number} {'x' * self.random.randint(0, 2000)}"
            with suppress(OSError):  # journald is not running
                self.journald.sendto(text.encode(), "/run/systemd/journal/socket")

    def kill(self):
        """Kill the daemon, run operations without it, and start it again."""
        self.daemon.kill()
        for _ in range(self.random.randint(0, 3)):
            operation = self.random.choice(
                [self.write, self.write_noise, self.rotate, self.vacuum, self.reboot]
            )
            self.history.append(f"without it: {operation.__name__}")
            operation()
        self.start()

    def start(self):
        self.daemon.start()
        self.history.append(f"start: {self.problems()}")
        if any(_GAP.search(problem) for problem in self.problems()):
            self.counts["gaps"] += 1
            self.reported_lost |= self.kept - self.present() - self.received().keys()

    def rotate(self):
        run("journalctl", "--rotate")

    def vacuum(self):
        """Delete all archived entries; a running daemon reads them before."""
        if self.daemon.process.poll() is None:
            self.settle()
        self.kept |= self.present()
        run("journalctl", "--rotate", "--vacuum-time=1s")

    def restart_journald(self):
        run("systemctl", "restart", "systemd-journald")

    def kill_journald(self):
        run("systemctl", "kill", "-s", "KILL", "systemd-journald")

    def reboot(self):
        """Continue the journal under another boot id; the daemon does not run meanwhile."""
        was_running = self.daemon.process.poll() is None
        if was_running:
            self.daemon.kill()
        run("sh", "-c", BOOT.format(boot=uuid.UUID(int=self.random.getrandbits(128))))
        if was_running:
            self.start()

    def settle(self):
        """Wait until all entries that exist are delivered."""
        self.kept |= self.present()
        wait_for(lambda: not self.missing(), 60, self.describe_missing)

    def describe_missing(self):
        missing = sorted(self.missing())
        history = "\n".join(self.history)
        existing = len(self.present() & set(missing))
        return f"missing {missing[0]} to {missing[-1]}, {existing} of them exist, after\n{history}"

    def missing(self):
        return self.kept - self.reported_lost - self.received().keys()

    def present(self):
        run("journalctl", "--sync")
        lines = run("journalctl", "-q", "-o", "cat", "-u", "speaker").splitlines()
        return {int(line[7:]) for line in lines if line.startswith("number ")}

    def received(self):
        """Count the deliveries of each number, each notification once."""
        bodies = {message.id: message.json["body"] for message in list(self.platform.received)}
        return Counter(int(body[7:]) for body in bodies.values() if body.startswith("number "))

    def problems(self):
        sources = self.daemon.ask("GET", "/v1/status")["sources"]
        return [problem for source in sources for problem in source["problems"]]


def main():
    for folder, text in DROP_INS.items():
        path = Path("/run/systemd", folder)
        path.mkdir(parents=True, exist_ok=True)
        (path / "soak.conf").write_text(text)
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", "systemd-journald")
    with in_thread(Platform()) as platform, tempfile.TemporaryDirectory() as folder:
        operations = RandomOperations(Daemon(Path(folder), platform, CONFIG), platform)
        operations.daemon.start()
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            operations.run_one()
        operations.settle()
        duplicates = {number: times for number, times in operations.received().items() if times > 1}
        assert not duplicates, duplicates
        log = operations.daemon.log.read_text()
        assert "Traceback" not in log, log
        operations.daemon.stop()
    print(
        f"{operations.written} written, {len(operations.kept)} kept, "
        f"{len(operations.reported_lost)} reported as lost, {dict(operations.counts)}: "
        "all entries accounted for"
    )


main()
