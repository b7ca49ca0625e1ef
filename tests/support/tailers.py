"""What a model of logs can be tried on: the tailer in virtual time, or the daemon itself."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from support import logs
from support.daemon import PLENTY, Daemon, wait_for
from support.random_deeds import Upheaval

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


class Virtual(logs.Daemon):
    """In this process; what is committed is kept, as the database would keep it.

    descriptors: how many files may be open at once.
    """

    def __init__(self, model: Upheaval, **keys: object) -> None:
        triggers = {
            name: logs.reading_from_start(*paths, patterns=r"line (?P<n>\d+)")
            for name, paths in model.paths.items()
        }
        super().__init__(triggers, **keys)
        model.follow(self)

    def renumber(self) -> None:
        """Have all devices had other numbers before, as after a reboot."""
        self.positions = {
            re.sub(r"(file|carry):(\d+)", lambda old: f"{old[1]}:{int(old[2]) + 7}", key): value
            for key, value in self.positions.items()
        }


class Real:
    """The daemon in a process of its own, killed with -9. start: makes one of a configuration."""

    def __init__(self, model: Upheaval, make: Callable[[str], Daemon], platform: object) -> None:
        self.model, self.platform = model, platform
        triggers = [TRIGGER.format(name=name, paths=paths) for name, paths in model.paths.items()]
        self.daemon = make("".join([CONFIG, *triggers])).start()
        model.follow(self)

    def turn(self, _hints: object = None, *, commit: bool = True) -> None:
        """Wait until everything that was written is told; not so without `commit`."""
        if commit:
            wait_for(
                lambda: not self.missing(), 5, lambda: f"{self.missing()} {self.model.story()}"
            )

    def missing(self) -> dict[str, list[str]]:
        found = {}
        for name in self.model.paths:
            told = set(self.lines(name))
            found[name] = [line[:20] for line in self.model.wanted(name) if line not in told]
        return {name: lines for name, lines in found.items() if lines}

    def kill(self) -> None:
        self.daemon.kill()

    def start(self) -> None:
        self.daemon.start()

    def pass_time(self, seconds: float) -> None:
        """Time passes by itself here."""

    def renumber(self) -> None:
        """What the kernel says cannot be changed here."""

    def lines(self, name: str) -> list[str]:
        return [
            message.json["body"]
            for message in list(self.platform.delivered.values())
            if message.json["data"]["trigger"] == name
        ]


def drill(
    folder: Path,
    seed: int,
    steps: int,
    follow: Callable[[Upheaval], object],
    *,
    late_writers: bool = True,
) -> None:
    """Do so many random deeds and look whether each line came once. follow: begins to."""
    model = Upheaval(folder, seed, late_writers=late_writers)
    try:
        follow(model)
        model.run(steps)
        model.end()
    finally:
        model.close()


def throw(folder: Path, seed: int, steps: int) -> None:
    """Drill the tailer; in every third history hardly any file can stay open."""
    few = seed % 3 == 0  # then nobody waits for late writers
    drill(
        folder,
        seed,
        steps,
        partial(Virtual, descriptors=1 if few else None),
        late_writers=not few,
    )
