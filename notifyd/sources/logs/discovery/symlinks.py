"""Names that lead somewhere else: which links are on the way, and where to watch for a swap."""

import os
from collections import deque
from collections.abc import Iterable

_HOPS = 40


class SymlinkTracker:
    """For each name that goes through symbolic links, what its target hangs on."""

    def __init__(self) -> None:
        self._through: dict[str, set[str]] = {}
        self._folders: dict[str, set[str]] = {}

    def track(self, name: str) -> None:
        """Follow a name as it stands now."""
        self.forget(name)
        if os.path.realpath(name) == name:
            return
        passed, folders = _followed(name)
        self._folders[name] = folders
        for path in passed:
            self._through.setdefault(path, set()).add(name)

    def forget(self, name: str) -> None:
        if self._folders.pop(name, None) is None:
            return
        for path in [path for path, names in self._through.items() if name in names]:
            self._through[path].discard(name)
            if not self._through[path]:
                del self._through[path]

    def paths_through(self, path: str) -> Iterable[str]:
        """List what is concerned when something happens to this path, itself included."""
        return {path, *self._through.get(path, ())}

    @property
    def directories(self) -> set[str]:
        """The directories in which a link or its target may be replaced."""
        return set().union(*self._folders.values())


def _followed(name: str) -> tuple[set[str], set[str]]:
    """List the links on the way with the target at the end, and the directories these lie in."""
    passed, folders = set(), set()
    place, ahead, hops = "/", deque(name.split("/")), 0
    while ahead:
        part = ahead.popleft()
        if part in ("", "."):
            continue
        if part == "..":
            place = os.path.dirname(place)  # noqa: PTH120 - strings throughout
            continue
        path = os.path.join(place, part)  # noqa: PTH118
        if hops < _HOPS and os.path.islink(path):  # noqa: PTH114
            hops += 1
            passed.add(path)
            folders.add(place)
            target = os.readlink(path)  # noqa: PTH115
            ahead.extendleft(reversed(target.split("/")))
            place = "/" if target.startswith("/") else place
        else:
            place = path
    return passed | {place}, folders | {os.path.dirname(place)}  # noqa: PTH120
