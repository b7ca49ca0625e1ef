"""Processes that the kernel killed for want of memory: how many, and which."""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from notifyd.model.events import Event
from notifyd.sources.kernel_log import read_records
from notifyd.sources.probes.resources.cgroups import oom_kills
from notifyd.sources.probes.resources.measurement import KernelFiles, MeasureError, format_bytes
from notifyd.sources.stored_values import StoredFields

_KILLED = re.compile(r"Killed process (\d+) \((.*?)\).*?anon-rss:(\d+)kB")
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class OomCount:
    """How many kills the kernel has counted since it was booted."""

    boot_id: str
    kills: int

    def encode(self) -> str:
        return json.dumps({"boot": self.boot_id, "kills": self.kills})

    @classmethod
    def decode(cls, text: str) -> Self:
        """Decode what `encode` returned; CheckpointValueError for anything else."""
        fields = StoredFields.decode(text)
        return cls(fields.text("boot"), fields.integer("kills"))


def count_kills(files: KernelFiles, boot_id: str) -> OomCount:
    """Read the kernel's count; MeasureError if it has none."""
    kills = oom_kills(files)
    if kills is None:
        raise MeasureError("the kernel does not count the processes that it kills")
    return OomCount(boot_id, kills)


def new_kills(count: OomCount, known: OomCount | None) -> int:
    """Return how many processes were killed since a known count. A lower count is a new one."""
    if known is None:
        return 0
    if known.boot_id != count.boot_id or count.kills < known.kills:
        return count.kills
    return count.kills - known.kills


def oom_event(trigger: str, killed: int, victims: list[str], wall: float) -> Event:
    """Return the event of some kills. victims: those that are known by name."""
    who = ", ".join(victims) or f"{killed} process{'es' if killed != 1 else ''}"
    if victims and killed > len(victims):
        who += f" and {killed - len(victims)} more"
    line = f"out of memory: the kernel killed {who}"
    facts = {"event": "oom", "name": "oom", "outcome": "critical"}
    return Event(trigger, wall, line, facts=facts)


def read_victims(files: KernelFiles, number: int) -> list[str]:
    """Name the last killed processes, at most five: none if the kernel's log is not readable."""
    found = []
    for line in _kernel_lines(files.kernel_log):
        if (match := _KILLED.search(line)) is not None:
            memory = format_bytes(int(match[3]) * 1024)
            found.append(f"{match[2]} (pid {match[1]}, {memory})")
    return found[-min(number, _MOST_NAMED) :]


def _kernel_lines(path: Path) -> list[str]:
    """Return the lines of the kernel's log, oldest first; none if it is not readable."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        records = b"".join(read_records(descriptor))
    finally:
        os.close(descriptor)
    return records.decode("utf-8", "replace").splitlines()
