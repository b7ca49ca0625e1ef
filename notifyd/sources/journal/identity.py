"""Who this daemon is in the journal, so that it never listens to itself."""

import os
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc/self")
_SERVICE = ".service"
_USER_MANAGER = "user@"


@dataclass(frozen=True, slots=True)
class OwnUnit:
    """unit: its own service, empty if it runs in none.

    cmdline: by it earlier runs are known that were in no service of their own.
    """

    pid: int
    uid: int
    unit: str = ""
    cmdline: str = ""

    def wrote(self, pid: str, uid: str, cmdline: str, homes: Collection[str]) -> bool:
        """Tell by what only journald can have written. homes: the units that the writer is in."""
        return (
            pid == str(self.pid)
            or (self.unit != "" and self.unit in homes)
            or (self.cmdline != "" and cmdline == self.cmdline and uid == str(self.uid))
        )


def own() -> OwnUnit:
    """Look at this process. Only a service is a unit of its own: a session is everyone's."""
    unit = cmdline = ""
    with suppress(OSError):
        groups = (_PROC / "cgroup").read_text().split()
        last = groups[-1].rpartition("/")[2] if groups else ""
        if last.endswith(_SERVICE) and not last.startswith(_USER_MANAGER):
            unit = last
    with suppress(OSError):
        words = (_PROC / "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ")
        cmdline = words.decode("utf-8", "replace")
    return OwnUnit(os.getpid(), os.geteuid(), unit, cmdline)
