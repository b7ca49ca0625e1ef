"""What happens in the workspace: a log that is written and rotated, programs that send."""

import random
import threading
from collections import Counter
from pathlib import Path

from notifyd.model.errors import DaemonAnswerError, NotifydError
from support.daemon import Daemon

TRIGGERS = """
[triggers.grouped]
type = "log"
paths = ["{log}"]
patterns = ['request by (?P<user>\\w+) failed']
group_by = ["user"]
debounce = "50ms"
cooldown = "300ms"
cooldown_max = "2s"

[triggers.bursts]
type = "log"
paths = ["{log}"]
patterns = ['slow query']
threshold = 3
window = "1h"
debounce = "0s"
cooldown = "200ms"
cooldown_max = "1s"

[triggers.each]
type = "log"
paths = ["{log}"]
patterns = ['^(?P<number>\\d+) rare']
title = "{{{{ fields.number }}}}"
priority = "high"
debounce = "0s"
cooldown = "0s"

[triggers.common]
type = "log"
paths = ["{log}"]
patterns = ['^(?P<number>\\d+) common']
title = "{{{{ fields.number }}}}"
debounce = "0s"
cooldown = "0s"
"""
_KINDS = {"grouped": 60, "bursts": 30, "each": 1, "common": 6, "none": 100}


class Writer(threading.Thread):
    """Appends numbered lines in pieces, some cut in the middle, and renames the log away."""

    def __init__(self, log: Path, seed: int) -> None:
        super().__init__(name="writer")
        self.log, self.random = log, random.Random(seed)
        self.written: Counter[str] = Counter()
        self.lines = self.rotations = 0
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.is_set() or self.written["bursts"] % 3:
            with self.log.open("ab", buffering=0) as file:
                for _ in range(self.random.randrange(1, 20)):
                    line = self._line()
                    cut = self.random.randrange(len(line))
                    file.write(line[:cut])
                    file.write(line[cut:])
            self.done.wait(self.random.expovariate(12))
            if self.random.random() < 0.015:
                self.rotations += 1
                self.log.rename(self.log.with_name(f"{self.log.name}.{self.rotations}"))

    def _line(self) -> bytes:
        (kind,) = self.random.choices(list(_KINDS), list(_KINDS.values()))
        self.lines += 1
        if kind != "none":
            self.written[kind] += 1
        text = {
            "grouped": f"request by {self.random.choice(['ann', 'bob', 'cy'])} failed",
            "bursts": "slow query, 3 s",
            "each": "rare thing",
            "common": "common thing",
            "none": "all is well",
        }
        return f"{self.lines} {text[kind]} \u00e4\n".encode()


class Client(threading.Thread):
    """Sends numbered requests. asked: how many; acknowledged: the number of each id answered."""

    def __init__(self, daemon: Daemon, name: str, seed: int) -> None:
        super().__init__(name=name)
        self.daemon_process, self.random = daemon, random.Random(seed)
        self.asked = self.refused = 0
        self.acknowledged: dict[str, str] = {}
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.is_set():
            self.asked += 1
            number = f"{self.name} {self.asked}"
            try:
                self.acknowledged[self.daemon_process.send(title=number, **self._wish())] = number
            except DaemonAnswerError:
                self.refused += 1
            except NotifydError:
                pass  # nobody there: whether it was taken cannot be known
            self.done.wait(self.random.expovariate(3))

    def _wish(self) -> dict[str, str]:
        priorities = ["min", "low", "default", "default", "high", "urgent"]
        wish = {"priority": self.random.choice(priorities)}
        if self.random.random() < 0.1:
            wish["key"] = f"{self.name} {self.random.randrange(3)}"
        if self.random.random() < 0.1:
            wish["delay"] = self.random.choice(["200ms", "1s", "3s"])
        return wish
