"""Keeps what is known of paths in line with the file system: by hints, scans and retries."""

from collections.abc import Sequence
from os.path import isdir

from notifyd.model.health import Problem
from notifyd.sources.logs.discovery.inotify import FsHints, WatchRequest
from notifyd.sources.logs.discovery.path_scanner import PathScanner, ScanResult
from notifyd.sources.logs.prospector import Prospector
from notifyd.sources.missing_paths import MissingPaths
from notifyd.sources.mounts import MountTable
from notifyd.sources.path_chains import PathChains

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
        self._chains = PathChains()
        self._replaced: set[str] = set()
        self._has_replaced_links = False
        self._vanished = MissingPaths()
        self._recheck_at: float | None = None
        self.polling_reason = ""

    def follow(self, hints: FsHints, now: float) -> None:
        """Check the paths that hints name, or all. Sets `all` if a mount affects a path."""
        hints.all = (
            hints.all
            or self._prospector.new_paths.is_scan_due
            or any(map(self._is_affected_by_mount, hints.mount_points))
        )
        for path in hints.attributes:
            self._prospector.on_attributes_changed(path)
        for path in hints.written_last:
            self._prospector.on_written_last(path)
        if hints.all:
            self._scan_all()
        else:
            self._follow_paths(hints)
        self._prospector.open_new_files()
        if hints.has_path_changes:
            self._update_vanished(now)

    def _follow_paths(self, hints: FsHints) -> None:
        prospector = self._prospector
        for old, new in hints.renames:
            prospector.resolver.on_renamed(old, new)
        directories = hints.directories | {path for path in hints.changed if isdir(path)}  # noqa: PTH112
        directories |= self._take_replaced_roots(hints.changed | directories)
        self._replaced |= directories
        if directories:
            self._scan_near(directories)
        for path in hints.changed:
            prospector.on_appeared(path)
        for path in hints.changed | directories:
            for name in sorted(prospector.path_table.affected_paths(path)):
                if name != path:
                    prospector.path_table.track_links(name)
                    self._has_replaced_links = True
                if prospector.is_known(name) or not self._scanner.is_ignored_dir(name):
                    prospector.check_path_in_turn(name)
        self._scanner.mark_matched(self._found, hints.changed)
        for path in hints.written:
            prospector.on_written(path)

    def _take_replaced_roots(self, changed: set[str]) -> set[str]:
        """Return the roots of patterns that changed paths lead to; record their chains again."""
        roots = {root for path in changed for root in self._chains.paths_through(path)}
        for root in roots:
            self._chains.track(root)
        self._has_replaced_links |= bool(roots)
        return roots

    def _is_affected_by_mount(self, point: str) -> bool:
        return bool(
            self._scanner.is_below_root(point)
            or self._chains.paths_near(point)
            or self._prospector.path_table.paths_near_mount(point)
        )

    def _update_vanished(self, now: float) -> None:
        """Record since when a path is missing that was found before."""
        self._vanished.update(self._scanner.vanished_patterns(self._found), now)

    def recheck(self, now: float) -> bool:
        """Check unreadable paths again if that is due; return whether it was."""
        self._report_vanished(now)
        if self._recheck_at is None or now < self._recheck_at:
            return False
        self._recheck_at = None
        if opened := self._found.recheck_unreadable():
            self._follow_paths(FsHints(directories=opened))
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

    def _report_vanished(self, now: float) -> None:
        """Report the paths that have been missing for long enough, unless they exist again."""
        if due := self._vanished.due(now):
            self._update_vanished(now)
            self._vanished.report(due)

    @property
    def wake_at(self) -> float | None:
        """The monotonic time at which `recheck` has something to do; None if it has nothing."""
        times = (self._vanished.next_due, self._recheck_at)
        return min((time for time in times if time is not None), default=None)

    def take_watch_request(self, *, recheck: bool) -> WatchRequest:
        """Return what to watch. What was replaced is in one request only.

        recheck: make all watches again.
        """
        path_table = self._prospector.path_table
        request = WatchRequest(
            self._found.watch_dirs | path_table.link_target_dirs,
            {*self._chains.entries, *path_table.link_entries},
            self._replaced,
            recheck=recheck or self._has_replaced_links,
        )
        self._replaced, self._has_replaced_links = set(), False
        return request

    @property
    def missing_paths(self) -> tuple[str, ...]:
        """The path patterns that have matched nothing yet, and those whose path is missing now."""
        missing = self._scanner.missing_patterns(self._found)
        return (*missing, *sorted(self._vanished.reported))

    @property
    def problems(self) -> Sequence[Problem]:
        files = {*self._prospector.problems.values()}
        return (
            *(Problem("folder", message) for message in sorted(self._found.problems)),
            *(Problem("file", message) for message in sorted(files)),
        )

    def _scan_all(self) -> None:
        matched_before, self._found = self._found.matched_patterns, self._scanner.scan()
        # A deleted path is reported when it has been missing for a while.
        self._found.matched_patterns.update(matched_before)
        self._prospector.scan(self._found.paths)
        for root in self._scanner.roots:
            self._chains.track(root)
        reasons = map(MountTable().remote_type, self._found.watch_dirs)
        self.polling_reason = next(filter(None, reasons), "")

    def _scan_near(self, directories: set[str]) -> None:
        found = self._scanner.scan(near=directories)
        self._found = self._found.merge(found)
        path_table = self._prospector.path_table
        below = {path for directory in directories for path in path_table.paths_below(directory)}
        for path in sorted(found.paths | below):
            self._prospector.check_path_in_turn(path)
