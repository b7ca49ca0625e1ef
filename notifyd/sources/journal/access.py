"""The journal's directories and the journalctl command: whether they can be used."""

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

from notifyd.model.errors import SourceError
from notifyd.model.user import effective_user

COMMAND: Final = "journalctl"
ROOTS: Final = (Path("/run/log/journal"), Path("/var/log/journal"))
_MACHINE_ID: Final = Path("/etc/machine-id")
_SYSTEM: Final = "system.journal"


def machine_id() -> str:
    """Return the name of this machine's directory below a root."""
    try:
        return _MACHINE_ID.read_text().strip() or "none"
    except OSError:
        return "none"


def missing_command(command: str = COMMAND) -> str:
    """Return that the command is not installed, and what to do; empty if it is."""
    if shutil.which(command) is not None:
        return ""
    return (
        "journalctl is not installed, so the journal cannot be read; install systemd, or set paths "
        "instead of journal"
    )


def access_problem(roots: tuple[Path, ...] = ROOTS) -> str:
    """Return why the system's entries cannot be read; empty if they can."""
    is_refused = False
    for root in roots:
        try:
            with (root / machine_id() / _SYSTEM).open("rb"):
                return ""
        except PermissionError:
            is_refused = True
        except OSError:
            continue
    if is_refused:
        user = effective_user()
        return (
            f"the system journal cannot be read by the user {user}: permission denied; run "
            f"usermod -aG systemd-journal {user} as root and restart notifyd"
        )
    return (
        "no journal exists on this machine; systemctl status systemd-journald shows whether it is "
        "written"
    )


class JournalDirs:
    """The journal's directories, checked at intervals while entries are read.

    interval: seconds. check_at: monotonic time of the next check.
    """

    def __init__(self, roots: tuple[Path, ...], interval: float, now: float) -> None:
        self._dirs = [path for root in roots for path in (root, root / machine_id())]
        self._interval = interval
        self._inodes, self._times = self._stat()
        self.check_at = now + interval

    def check(self, now: float) -> bool:
        """Return whether journal files were added or removed since the last check.

        SourceError if the directories themselves have changed: journalctl must be restarted, since
        it does not look for a directory that was missing at its start.
        """
        self.check_at = now + self._interval
        inodes, times = self._stat()
        if inodes != self._inodes:
            raise SourceError("the journal's directories have changed, so journalctl is restarted")
        before, self._times = self._times, times
        return times != before

    def _stat(self) -> tuple[dict[Path, int], dict[Path, int]]:
        inodes, times = {}, {}
        for path in self._dirs:
            with suppress(OSError):
                found = path.stat()
                inodes[path], times[path] = found.st_ino, found.st_mtime_ns
        return inodes, times
