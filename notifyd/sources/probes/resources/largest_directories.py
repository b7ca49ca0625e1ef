"""What fills a file system: its largest directories and files.

The walk is bounded, follows no link and crosses no mount.
"""

import os
import stat
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from notifyd.sources.mounts import MountTable
from notifyd.sources.probes.resources.largest_processes import LISTED
from notifyd.sources.probes.resources.measurement import format_bytes
from notifyd.text.limits import strip_control_from_title

_MOST_ENTRIES: Final = 300_000
_MOST_SECONDS: Final = 3.0
_BLOCK: Final = 512
_LARGE_FILE: Final = 64 << 20
_DESCENT: Final = 0.7
"""A directory is shown by its largest part if that holds more than this share of it."""


class DirectorySizes:
    """Sizes of directories with all that is below them, as far as the walk came.

    count: count entries instead of bytes. Hard links count once.
    """

    def __init__(self, top: Path, *, count: bool = False, most: int = _MOST_ENTRIES) -> None:
        self.top = os.path.realpath(top)
        self._count = count
        self.is_complete = True
        self._sizes: dict[str, int] = {}
        self._children: dict[str, list[str]] = {}
        self._walk(most)

    def largest(self, number: int = LISTED) -> list[tuple[str, int]]:
        """List the largest directories, none inside another, the largest first."""
        ranked = sorted(self._children.get(self.top, ()), key=self._size, reverse=True)
        found = [self._narrow(path) for path in ranked[:number]]
        return [(path, self._sizes[path]) for path in found if self._sizes[path] > 0]

    def _size(self, path: str) -> int:
        return self._sizes[path]

    def _narrow(self, path: str) -> str:
        """Descend while one directory holds nearly all of the one above it."""
        while children := self._children.get(path):
            largest = max(children, key=self._size)
            if self._sizes[largest] <= _DESCENT * self._sizes[path]:
                break
            path = largest
        return path

    def _is_shown(self, folder: str, size: int) -> bool:
        """Whether a file of this size is shown by itself, like a directory."""
        return not self._count and (folder == self.top or size >= _LARGE_FILE)

    def _walk(self, most: int) -> None:
        """Walk breadth first, so that a walk that is cut short has seen all top levels."""
        try:
            device = os.lstat(self.top).st_dev
        except OSError:
            return
        mounts = {point for _, point in MountTable().mounts} - {self.top}
        deadline = time.monotonic() + _MOST_SECONDS
        linked: set[int] = set()
        order = [self.top]
        queue = deque(order)
        own: dict[str, int] = {self.top: 0}
        while queue and self.is_complete:
            folder = queue.popleft()
            for path, found in _entries(folder):
                most -= 1
                if most < 0 or time.monotonic() > deadline:
                    self.is_complete = False
                    break
                if found.st_dev != device or path in mounts:
                    continue
                is_folder = stat.S_ISDIR(found.st_mode)
                if not is_folder and found.st_nlink > 1:
                    if found.st_ino in linked:
                        continue
                    linked.add(found.st_ino)
                size = 1 if self._count else found.st_blocks * _BLOCK
                if is_folder or self._is_shown(folder, size):
                    self._children.setdefault(folder, []).append(path)
                    own[path] = size
                    order.append(path)
                else:
                    own[folder] += size
                if is_folder:
                    queue.append(path)
        self._sizes = own
        for path in reversed(order[1:]):  # children come after their parents
            own[os.path.dirname(path)] += own[path]  # noqa: PTH120 - strings throughout


def largest_directories(top: Path, *, count: bool = False) -> list[str]:
    """Describe the largest directories below a path, such as "/var/log: 12 GiB"."""
    sizes = DirectorySizes(top, count=count)
    lines = [
        f"{strip_control_from_title(path)}: {f'{size:,} files' if count else format_bytes(size)}"
        for path, size in sizes.largest()
    ]
    if lines and not sizes.is_complete:
        lines[-1] += " (not all was counted)"
    return lines


def _entries(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    yield entry.path, entry.stat(follow_symlinks=False)
                except OSError:
                    continue
    except OSError:
        return
