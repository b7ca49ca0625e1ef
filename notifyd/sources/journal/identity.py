"""How the journal identifies this daemon, so that its own entries are never matched."""

import os
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc/self")
_SERVICE = ".service"
_USER_MANAGER = "user@"


@dataclass(frozen=True, slots=True)
class OwnIdentity:
    """unit: the daemon's own service, empty if it runs in none.

    cmdline: identifies earlier runs that were not in a service of their own.
    """

    pid: int
    uid: int
    unit: str = ""
    cmdline: str = ""

    def is_writer(self, pid: str, uid: str, cmdline: str, units: Collection[str]) -> bool:
        """Return whether the daemon wrote an entry, by fields that only journald can set.

        units: those that the writer runs in.
        """
        return (
            pid == str(self.pid)
            or (self.unit != "" and self.unit in units)
            or (self.cmdline != "" and cmdline == self.cmdline and uid == str(self.uid))
        )


def read_own_identity() -> OwnIdentity:
    """Read it from /proc. Only a service is a unit of its own: others share a session."""
    unit = cmdline = ""
    with suppress(OSError):
        groups = (_PROC / "cgroup").read_text().split()
        last = groups[-1].rpartition("/")[2] if groups else ""
        if last.endswith(_SERVICE) and not last.startswith(_USER_MANAGER):
            unit = last
    with suppress(OSError):
        words = (_PROC / "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ")
        cmdline = words.decode("utf-8", "replace")
    return OwnIdentity(os.getpid(), os.geteuid(), unit, cmdline)
