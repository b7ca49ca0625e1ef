"""Which symbolic links each path leads through, and where to watch for their replacement."""

import os
from collections import deque
from collections.abc import Iterable

_MOST_LINKS = 40
"""As many as the kernel follows."""


class SymlinkTracker:
    """The links on tracked paths. A path without links takes no room."""

    def __init__(self) -> None:
        self._paths_through: dict[str, set[str]] = {}
        self._directories: dict[str, set[str]] = {}

    def track(self, path: str) -> None:
        """Record the links on a path as they are now."""
        self.forget(path)
        if os.path.realpath(path) == path:
            return
        passed, directories = _follow_links(path)
        self._directories[path] = directories
        for each in passed:
            self._paths_through.setdefault(each, set()).add(path)

    def forget(self, path: str) -> None:
        if self._directories.pop(path, None) is None:
            return
        for each in [each for each, paths in self._paths_through.items() if path in paths]:
            self._paths_through[each].discard(path)
            if not self._paths_through[each]:
                del self._paths_through[each]

    def paths_through(self, path: str) -> Iterable[str]:
        """List a path and the tracked ones that lead through it."""
        return {path, *self._paths_through.get(path, ())}

    @property
    def directories(self) -> set[str]:
        """The directories in which a link or its target may be replaced."""
        return set().union(*self._directories.values())


def _follow_links(path: str) -> tuple[set[str], set[str]]:
    """Return the links on a path with the final target, and the directories that contain these."""
    passed, directories = set(), set()
    at, rest, followed = "/", deque(path.split("/")), 0
    while rest:
        part = rest.popleft()
        if part in ("", "."):
            continue
        if part == "..":
            at = os.path.dirname(at)  # noqa: PTH120 - strings throughout
            continue
        step = os.path.join(at, part)  # noqa: PTH118
        if followed < _MOST_LINKS and os.path.islink(step):  # noqa: PTH114
            followed += 1
            passed.add(step)
            directories.add(at)
            target = os.readlink(step)  # noqa: PTH115
            rest.extendleft(reversed(target.split("/")))
            at = "/" if target.startswith("/") else at
        else:
            at = step
    return passed | {at}, directories | {os.path.dirname(at)}  # noqa: PTH120
