"""Run inside a booted systemd by test_journal.py: what may happen to a journal and its reader.

Words: the units to listen to, the seed, for how many seconds.
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


class Deeds:
    """said: how many numbers. kept: those that were in the journal. excused: lost, and told."""

    def __init__(self, daemon, platform):
        self.daemon, self.platform = daemon, platform
        self.random = random.Random(SEED)
        self.did = Counter()
        self.trail = deque(maxlen=40)
        """What was done and found last, for when the books do not balance."""
        self.said = 0
        self.kept, self.excused = set(), set()
        self.journald = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def act(self):
        (deed,) = self.random.choices(
            [
                self.speak,
                self.noise,
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
        self.did[deed.__name__] += 1
        self.trail.append(deed.__name__)
        deed()

    def speak(self):
        first, self.said = self.said, self.said + self.random.randint(1, 60)
        self.trail.append(f"{first} to {self.said - 1}")
        script = f"for i in $(seq {first} {self.said - 1}); do echo number $i; done"
        run("systemd-run", "--quiet", "--wait", "--unit=speaker", "sh", "-c", script)

    def noise(self):
        for number in range(self.random.randint(1, 1000)):
            text = f"MESSAGE=noise {number} {'x' * self.random.randint(0, 2000)}"
            with suppress(OSError):  # nobody is there at the moment
                self.journald.sendto(text.encode(), "/run/systemd/journal/socket")

    def kill(self):
        """End the daemon, have something happen without it, and start it again."""
        self.daemon.kill()
        for _ in range(self.random.randint(0, 3)):
            deed = self.random.choice(
                [self.speak, self.noise, self.rotate, self.vacuum, self.reboot]
            )
            self.trail.append(f"without it: {deed.__name__}")
            deed()
        self.start()

    def start(self):
        self.daemon.start()
        self.trail.append(f"start: {self.problems()}")
        if any(_GAP.search(problem) for problem in self.problems()):
            self.did["gaps"] += 1
            self.excused |= self.kept - self.present() - self.received().keys()

    def rotate(self):
        run("journalctl", "--rotate")

    def vacuum(self):
        """Remove all that is not the newest; a daemon that runs has read it before."""
        if self.daemon.process.poll() is None:
            self.settle()
        self.kept |= self.present()
        run("journalctl", "--rotate", "--vacuum-time=1s")

    def restart_journald(self):
        run("systemctl", "restart", "systemd-journald")

    def kill_journald(self):
        run("systemctl", "kill", "-s", "KILL", "systemd-journald")

    def reboot(self):
        """Have the journal go on under another boot; nobody runs meanwhile."""
        runs = self.daemon.process.poll() is None
        if runs:
            self.daemon.kill()
        run("sh", "-c", BOOT.format(boot=uuid.UUID(int=self.random.getrandbits(128))))
        if runs:
            self.start()

    def settle(self):
        """Wait until all has come that is there and was not lost."""
        self.kept |= self.present()
        wait_for(lambda: not self.missing(), 60, self.blame)

    def blame(self):
        missing = sorted(self.missing())
        trail = "\n".join(self.trail)
        there = len(self.present() & set(missing))
        return f"missing {missing[0]} to {missing[-1]}, {there} of them are there, after\n{trail}"

    def missing(self):
        return self.kept - self.excused - self.received().keys()

    def present(self):
        run("journalctl", "--sync")
        lines = run("journalctl", "-q", "-o", "cat", "-u", "speaker").splitlines()
        return {int(line[7:]) for line in lines if line.startswith("number ")}

    def received(self):
        """Count by number what came to the platform, each notification once."""
        bodies = {message.id: message.json["body"] for message in list(self.platform.received)}
        return Counter(int(body[7:]) for body in bodies.values() if body.startswith("number "))

    def problems(self):
        sources = self.daemon.ask("GET", "/v1/status")["sources"]
        return [problem for source in sources for problem in source["problems"]]


def main():
    for folder, text in DROP_INS.items():
        place = Path("/run/systemd", folder)
        place.mkdir(parents=True, exist_ok=True)
        (place / "soak.conf").write_text(text)
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", "systemd-journald")
    with in_thread(Platform()) as platform, tempfile.TemporaryDirectory() as folder:
        deeds = Deeds(Daemon(Path(folder), platform, CONFIG), platform)
        deeds.daemon.start()
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            deeds.act()
        deeds.settle()
        doubled = {number: times for number, times in deeds.received().items() if times > 1}
        assert not doubled, doubled
        log = deeds.daemon.log.read_text()
        assert "Traceback" not in log, log
        deeds.daemon.stop()
    print(
        f"{deeds.said} said, {len(deeds.kept)} kept, {len(deeds.excused)} lost and told;", end=" "
    )
    print(f"{dict(deeds.did)}: the books balance")


main()
