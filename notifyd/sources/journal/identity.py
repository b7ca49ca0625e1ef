"""Who this daemon is in the journal."""

import os
from contextlib import suppress
from pathlib import Path

from notifyd.sources.journal.entry import Identity

_PROC = Path("/proc/self")
_SERVICE = ".service"
_USER_MANAGER = "user@"


def own() -> Identity:
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
    return Identity(os.getpid(), os.geteuid(), unit, cmdline)
