"""Runs random operations on logs against a tailer in virtual time, or against the daemon itself."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from support import logs
from support.daemon import PLENTY, Daemon, wait_for
from support.random_operations import RandomOperations

CONFIG = PLENTY + "\n[text]\nredact = false\n"
TRIGGER = """
[triggers.{name}]
type = "log"
paths = {paths}
patterns = ['line \\d+']
read_from = "beginning"
debounce = "0s"
cooldown = "0s"
title = "line"
body = "{{{{ line }}}}"
"""


class InProcessDaemon(logs.VirtualDaemon):
    """In this process; what is committed is kept, as the database keeps it.

    max_descriptors: how many files may be open at once.
    """

    def __init__(self, operations: RandomOperations, **keys: object) -> None:
        triggers = {
            name: logs.reading_from_start(*paths, patterns=r"line (?P<n>\d+)")
            for name, paths in operations.paths.items()
        }
        super().__init__(triggers, **keys)
        operations.follow(self)

    def renumber(self) -> None:
        """Give all devices other numbers, as after a reboot."""
        self.checkpoints = {
            re.sub(r"(file|carry):(\d+)", lambda old: f"{old[1]}:{int(old[2]) + 7}", key): value
            for key, value in self.checkpoints.items()
        }


class KilledDaemon:
    """The daemon in a process of its own, killed with -9. make: makes one from a configuration."""

    def __init__(
        self, operations: RandomOperations, make: Callable[[str], Daemon], platform: object
    ) -> None:
        self.operations, self.platform = operations, platform
        triggers = [
            TRIGGER.format(name=name, paths=paths) for name, paths in operations.paths.items()
        ]
        self.daemon = make("".join([CONFIG, *triggers])).start()
        operations.follow(self)

    def poll_all(self, _hints: object = None, *, commit: bool = True) -> None:
        """Wait until everything written is reported; without `commit`, do not wait."""
        if commit:
            wait_for(
                lambda: not self.missing(),
                5,
                lambda: f"{self.missing()} {self.operations.describe()}",
            )

    def missing(self) -> dict[str, list[str]]:
        found = {}
        for name in self.operations.paths:
            reported = set(self.lines(name))
            wanted = self.operations.wanted(name)
            found[name] = [line[:20] for line in wanted if line not in reported]
        return {name: lines for name, lines in found.items() if lines}

    def kill(self) -> None:
        self.daemon.kill()

    def start(self) -> None:
        self.daemon.start()

    def pass_time(self, seconds: float) -> None:
        """Real time passes by itself."""

    def renumber(self) -> None:
        """Real device numbers cannot be changed."""

    def lines(self, name: str) -> list[str]:
        return [
            message.json["body"]
            for message in list(self.platform.delivered.values())
            if message.json["data"]["trigger"] == name
        ]


def run_operations(
    folder: Path,
    seed: int,
    steps: int,
    follow: Callable[[RandomOperations], object],
    *,
    late_writers: bool = True,
) -> None:
    """Run random operations and check that each line is reported once.

    follow: starts what follows the logs.
    """
    operations = RandomOperations(folder, seed, late_writers=late_writers)
    try:
        follow(operations)
        operations.run(steps)
        operations.end()
    finally:
        operations.close()


def run_in_process(folder: Path, seed: int, steps: int) -> None:
    """Run random operations in virtual time; in every third run hardly any file stays open."""
    few = seed % 3 == 0  # then a renamed file does not stay open for late writers
    run_operations(
        folder,
        seed,
        steps,
        partial(InProcessDaemon, max_descriptors=1 if few else None),
        late_writers=not few,
    )
