"""The directories and links through which a path leads, to notice when one of them is replaced."""

import os
from collections import deque
from collections.abc import Collection, Iterator
from typing import NamedTuple

_MOST_LINKS = 40
"""As many as the kernel follows."""


class PathChain(NamedTuple):
    """The way to a path. Replacing one of the entries may make it lead elsewhere.

    entries: every directory, link and target on the way, in order, each without links before it.
    The last one is what the path leads to, or the first one that is missing. has_links: whether
    one of them is a link.
    """

    entries: tuple[str, ...]
    has_links: bool

    @property
    def end(self) -> str:
        return self.entries[-1] if self.entries else "/"


def follow_path(path: str) -> PathChain:
    """Return the chain of an absolute path as it is now. Blocking."""
    at, rest, followed = "/", deque(path.split("/")), 0
    entries: list[str] = []
    while rest:
        part = rest.popleft()
        if part in ("", "."):
            continue
        if part == "..":
            at = os.path.dirname(at)  # noqa: PTH120 - strings throughout
            continue
        at = os.path.join(at, part)  # noqa: PTH118
        entries.append(at)
        if (target := _link_target(at)) is not None:
            followed += 1
            if followed > _MOST_LINKS:
                break
            rest.extendleft(reversed(target.split("/")))
            at = "/" if target.startswith("/") else os.path.dirname(at)  # noqa: PTH120
        elif not os.path.lexists(at):
            break
    return PathChain(tuple(entries), has_links=followed > 0)


def _link_target(path: str) -> str | None:
    """Return what a link leads to; None if it is no link, or has just been replaced."""
    try:
        return os.readlink(path)  # noqa: PTH115 - strings throughout
    except OSError:
        return None


class PathChains:
    """The chains of tracked paths."""

    def __init__(self) -> None:
        self._chains: dict[str, PathChain] = {}
        self._paths_through: dict[str, set[str]] = {}

    def track(self, path: str) -> None:
        """Record the chain of a path as it is now. Blocking."""
        self.update(path, follow_path(path))

    def update(self, path: str, chain: PathChain) -> None:
        """Record the chain of a path."""
        self.forget(path)
        self._chains[path] = chain
        for entry in chain.entries:
            self._paths_through.setdefault(entry, set()).add(path)

    def track_if_linked(self, path: str) -> None:
        """Record the chain of a path that leads through links; others take no room. Blocking."""
        chain = follow_path(path)
        if chain.has_links:
            self.update(path, chain)
        else:
            self.forget(path)

    def forget(self, path: str) -> None:
        chain = self._chains.pop(path, None)
        for entry in set(chain.entries) if chain else ():
            self._paths_through[entry].discard(path)
            if not self._paths_through[entry]:
                del self._paths_through[entry]

    def paths_through(self, entry: str) -> set[str]:
        """Return the tracked paths that lead through an entry."""
        return set(self._paths_through.get(entry, ()))

    def paths_near(self, point: str) -> set[str]:
        """Return the tracked paths that lead through an entry, or to a directory above it."""
        paths = self.paths_through(point)
        while point != "/":
            point = os.path.dirname(point)  # noqa: PTH120
            through = self._paths_through.get(point, ())
            paths |= {path for path in through if self._chains[path].end == point}
        return paths

    @property
    def entries(self) -> Collection[str]:
        """Every entry of every chain."""
        return self._paths_through.keys()

    @property
    def end_dirs(self) -> Iterator[str]:
        """The directories that contain what the chains lead to."""
        return (os.path.dirname(chain.end) for chain in self._chains.values())  # noqa: PTH120
