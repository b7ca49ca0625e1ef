"""Whether the journal can be read at all, and the mend where it cannot."""

import os
import pwd
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

COMMAND: Final = "journalctl"
ROOTS: Final = (Path("/run/log/journal"), Path("/var/log/journal"))
_MACHINE_ID: Final = Path("/etc/machine-id")
_SYSTEM: Final = "system.journal"


def folders(roots: tuple[Path, ...] = ROOTS) -> dict[str, int]:
    """List the directories of this machine's journal with their inodes.

    When they change, journalctl must be started anew: it never looks for a root that was missing.
    """
    found = {}
    for folder in (*roots, *(root / _machine() for root in roots)):
        with suppress(OSError):
            found[str(folder)] = folder.stat().st_ino
    return found


def changed(roots: tuple[Path, ...] = ROOTS) -> dict[str, int]:
    """Tell when files of this machine's journal came or went: they are rotated, or removed."""
    found = {}
    for folder in (root / _machine() for root in roots):
        with suppress(OSError):
            found[str(folder)] = folder.stat().st_mtime_ns
    return found


def missing(command: str = COMMAND) -> str:
    """Say that there is no such program; empty if there is."""
    if shutil.which(command) is not None:
        return ""
    return (
        "journalctl is not installed, so the journal cannot be read: install systemd, or have the "
        "triggers read files"
    )


def trouble(roots: tuple[Path, ...] = ROOTS) -> str:
    """Say why entries of the system cannot be seen; empty if they can."""
    refused = False
    for root in roots:
        try:
            with (root / _machine() / _SYSTEM).open("rb"):
                return ""
        except PermissionError:
            refused = True
        except OSError:
            continue
    if refused:
        user = _user()
        return (
            f"the system's journal cannot be read by the user {user}: run usermod -aG "
            f"systemd-journal {user} as root and start notifyd again"
        )
    return (
        "there is no journal on this machine yet: systemctl status systemd-journald says whether "
        "it is written"
    )


def _machine() -> str:
    try:
        return _MACHINE_ID.read_text().strip() or "none"
    except OSError:
        return "none"


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
