"""Who starts the daemon again, as systemd would, and who kills it."""

import os
import random
import subprocess
import time
from collections import Counter

from support.daemon import Daemon, wait_for


class Keeper:
    """kills: when the daemon was ended the hard way. did: everything that was done to it."""

    def __init__(self, daemon: Daemon, seed: int) -> None:
        self.daemon, self.random = daemon, random.Random(seed)
        self.kills: list[float] = []
        self.starts: list[float] = []
        self.reloads: list[float] = []
        self.did: Counter[str] = Counter()

    def revive(self, within: float = 60.0) -> None:
        """Start it until it answers: while its disk is full it may have to be started again."""
        wait_for(self._started, within, lambda: self.daemon.log.read_text()[-3000:])

    def act(self) -> None:
        (deed,) = self.random.choices(
            [self._kill, self._stop, self._reload, self._crowd], [6, 1, 2, 2]
        )
        self.did[deed.__name__.strip("_")] += 1
        deed()

    def _started(self) -> bool:
        process = self.daemon.process
        if process is None or process.poll() is not None:
            self.did["starts"] += 1
            self.starts.append(time.monotonic())
            self.daemon.launch()
        return self.daemon.answers()

    def _kill(self) -> None:
        self.daemon.kill()
        self.kills.append(time.monotonic())
        time.sleep(self.random.choice([0.0, 0.0, 1.0]))
        self.revive()

    def _stop(self) -> None:
        assert self.daemon.stop(within=20) == 0, self.daemon.log.read_text()[-3000:]
        self.kills.append(time.monotonic())
        self.revive()

    def _reload(self) -> None:
        self.reloads.append(time.monotonic())
        self.daemon.command("reload")

    def _crowd(self) -> None:
        """Ask everything at once, as watching tools do."""
        asked = [["status"], ["history", "-n", "50"], ["retry"]]
        running = [
            subprocess.Popen(
                ["curl", "-sS", "-m", "5", "--unix-socket", self.daemon.socket, "http://x/metrics"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PATH": os.environ["PATH"]},
            )
        ]
        for words in asked:
            done = self.daemon.command(*words)
            assert "Traceback" not in done.stderr, done.stderr
        for process in running:
            process.wait()
        self.reloads.append(time.monotonic())  # a retry tries at once as well
