"""Keeps what is known of paths in line with the file system: by hints, scans and retries."""

from collections.abc import Sequence
from os.path import isdir

from notifyd.model.health import Problem
from notifyd.sources.logs.discovery.inotify import FsHints, MountTable
from notifyd.sources.logs.discovery.path_scanner import PathScanner, ScanResult
from notifyd.sources.logs.prospector import Prospector

_RECHECK_SECONDS = 10.0
"""How often an unreadable path is checked again. No hint says that it became readable."""
_MOST_RECHECKS = 1000
"""How many paths are checked again in that time, on average."""


class PathMonitor:
    """Tells the prospector which paths to check.

    polling_reason: the kind of a file system on which logs are and that gives no hints of
    changes made elsewhere; empty if there is none.
    """

    def __init__(self, scanner: PathScanner, prospector: Prospector) -> None:
        self._scanner, self._prospector = scanner, prospector
        self._found = ScanResult()
        self._recheck_at: float | None = None
        self.polling_reason = ""

    def follow(self, hints: FsHints) -> None:
        """Check the paths that hints name, or all."""
        if hints.all:
            self._scan_all()
            return
        prospector = self._prospector
        directories = hints.directories | {path for path in hints.changed if isdir(path)}  # noqa: PTH112
        if directories:
            self._scan_near(directories)
        for path in hints.changed:
            prospector.on_appeared(path)
        for path in hints.changed | directories:
            for name in sorted(prospector.path_table.affected_paths(path)):
                if prospector.is_known(name) or not self._scanner.is_ignored_dir(name):
                    prospector.check_path(name)
        self._scanner.mark_matched(self._found, hints.changed)
        for path in hints.written:
            prospector.on_written(path)

    def recheck(self, now: float) -> bool:
        """Check unreadable paths again if that is due; return whether it was."""
        if self._recheck_at is None or now < self._recheck_at:
            return False
        self._recheck_at = None
        if opened := self._found.recheck_unreadable():
            self.follow(FsHints(directories=opened))
        for path in sorted(self._prospector.problems):
            self._prospector.check_path(path)
        return True

    def plan_recheck(self, now: float) -> None:
        """Set when unreadable paths are checked again, if there are any."""
        unreadable = len(self._prospector.problems) + sum(
            map(len, self._found.unreadable_dirs.values())
        )
        if not unreadable:
            self._recheck_at = None
        elif self._recheck_at is None:
            self._recheck_at = now + _RECHECK_SECONDS * max(1.0, unreadable / _MOST_RECHECKS)

    @property
    def recheck_at(self) -> float | None:
        """The monotonic time at which unreadable paths are checked again."""
        return self._recheck_at

    @property
    def watch_dirs(self) -> tuple[set[str], set[str]]:
        """The directories to watch for all changes, and those for names that appear."""
        directories = self._found.watch_dirs | self._prospector.path_table.link_dirs
        return directories, self._found.awaited_dirs

    @property
    def missing_paths(self) -> tuple[str, ...]:
        """The path patterns that have matched nothing yet."""
        return tuple(self._scanner.missing_patterns(self._found))

    @property
    def problems(self) -> Sequence[Problem]:
        files = {*self._prospector.problems.values()}
        return (
            *(Problem("folder", message) for message in sorted(self._found.problems)),
            *(Problem("file", message) for message in sorted(files)),
        )

    def _scan_all(self) -> None:
        matched_before, self._found = self._found.matched_patterns, self._scanner.scan()
        # A deleted path is not reported as missing.
        self._found.matched_patterns.update(matched_before)
        self._prospector.scan(self._found.paths)
        reasons = map(MountTable().remote_type, self._found.watch_dirs)
        self.polling_reason = next(filter(None, reasons), "")

    def _scan_near(self, directories: set[str]) -> None:
        found = self._scanner.scan(near=directories)
        self._found = self._found.merge(found)
        path_table = self._prospector.path_table
        below = {path for directory in directories for path in path_table.paths_below(directory)}
        for path in sorted(found.paths | below):
            self._prospector.check_path(path)
