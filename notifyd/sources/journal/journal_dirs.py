"""The journal's folders on this machine: looked at now and then while it is read."""

from contextlib import suppress
from pathlib import Path

from notifyd.model.errors import SourceError
from notifyd.sources.journal.access import machine


class JournalDirs:
    """every: seconds between two looks. at: monotonic time of the next one."""

    def __init__(self, roots: tuple[Path, ...], every: float, now: float) -> None:
        self._folders = [folder for root in roots for folder in (root, root / machine())]
        self._every = every
        self._inodes, self._times = self._seen()
        self.at = now + every

    def changed(self, now: float) -> bool:
        """Tell whether files came or went since the last look: they are rotated, or removed.

        SourceError when the folders are others: journalctl must be started anew then, as it never
        looks for one that was missing.
        """
        self.at = now + self._every
        inodes, times = self._seen()
        if inodes != self._inodes:
            raise SourceError("the journal is kept in another folder now, so it is opened anew")
        before, self._times = self._times, times
        return times != before

    def _seen(self) -> tuple[dict[Path, int], dict[Path, int]]:
        inodes, times = {}, {}
        for folder in self._folders:
            with suppress(OSError):
                state = folder.stat()
                inodes[folder], times[folder] = state.st_ino, state.st_mtime_ns
        return inodes, times
