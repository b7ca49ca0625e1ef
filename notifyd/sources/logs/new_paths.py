"""Paths at which files appeared, opened in slices so that thousands do not hold up other logs."""

from collections.abc import Iterable, Iterator, Sized
from itertools import islice

from notifyd.sources.logs.reading.registry import Registry

_LEAST_SLICE = 64
"""How many new files are opened before other files get their turn again."""
_LEAST_CHECKS = 8
"""How many paths are checked in a turn however many other files wait to be read."""
_SLICES = 16
"""A larger part of the new files is opened at once, for the directory is listed each time."""
_MOST_CHECKS = 1000
"""How many paths are checked in a turn: as many as there are hints. Most may lead to no file."""
_MOST_PATHS = 100_000
"""How many paths from hints are kept. With more, all paths have to be scanned again."""


class NewPaths:
    """Paths to check at which no file is known, in order.

    The registry counts them as logs, so that it tells many logs from many generations of one.
    is_scan_due: there were so many that they were forgotten.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._paths: dict[str, None] = {}
        self.is_scan_due = False

    def __bool__(self) -> bool:
        return bool(self._paths) or self.is_scan_due

    def __contains__(self, path: str) -> bool:
        return path in self._paths

    def add(self, path: str) -> None:
        """Add the path of a hint, unless there are too many."""
        if len(self._paths) < _MOST_PATHS:
            self.update([path])
            return
        for each in list(self._paths):
            self.discard(each)
        self.is_scan_due = True

    def update(self, paths: Iterable[str]) -> None:
        """Add all paths that a scan found."""
        for path in paths:
            if path not in self._paths:
                self._paths[path] = None
                self._registry.expect(path)

    def discard(self, path: str) -> None:
        if path in self._paths:
            del self._paths[path]
            self._registry.stop_expecting(path)

    def slice(self, queue: Sized) -> Iterator[str]:
        """Iterate over the paths to check in this turn. queue: the files that wait to be read."""
        most = max(_LEAST_SLICE, min(len(self._paths) // _SLICES, _MOST_CHECKS))
        for number, path in enumerate(list(islice(self._paths, _MOST_CHECKS))):
            if number < _LEAST_CHECKS or len(queue) < most:
                yield path
