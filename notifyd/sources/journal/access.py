"""Whether the journal can be read at all, and the mend where it cannot."""

import shutil
from pathlib import Path
from typing import Final

from notifyd.model.user import effective_user

COMMAND: Final = "journalctl"
ROOTS: Final = (Path("/run/log/journal"), Path("/var/log/journal"))
_MACHINE_ID: Final = Path("/etc/machine-id")
_SYSTEM: Final = "system.journal"


def machine() -> str:
    """Name the folder of this machine below a root."""
    try:
        return _MACHINE_ID.read_text().strip() or "none"
    except OSError:
        return "none"


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
            with (root / machine() / _SYSTEM).open("rb"):
                return ""
        except PermissionError:
            refused = True
        except OSError:
            continue
    if refused:
        user = effective_user()
        return (
            f"the system's journal cannot be read by the user {user}: run usermod -aG "
            f"systemd-journal {user} as root and start notifyd again"
        )
    return (
        "there is no journal on this machine yet: systemctl status systemd-journald says whether "
        "it is written"
    )
