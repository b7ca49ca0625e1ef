"""Finds files by their path, and by what their path may have been before rotation."""

import os
from collections import Counter
from collections.abc import Collection

from notifyd.sources.logs.checkpoint import FileId
from notifyd.sources.logs.discovery.rotated_files import possible_names

_MOST_GENERATIONS = 1000
"""More files than these that may be generations of one path are logs of their own, such as
worker-1.log and so on: comparing each with all others would take minutes."""


class RotationIndex:
    """Indexes files by directory and name.

    In the directory of a log, a rotated file belongs to that log. In another directory, such as an
    `olddir`, it may belong to any log of its name: such directories are indexed apart, so that a
    look-up takes the same time however many logs have one name.
    """

    def __init__(self) -> None:
        self._paths: dict[FileId, str] = {}
        self._by_path: dict[str, dict[FileId, None]] = {}
        self._logs: dict[str, set[FileId]] = {}
        self._folders: dict[str, set[str]] = {}
        self._other_folders: dict[str, set[str]] = {}
        self._expected: Counter[str] = Counter()

    def add(self, key: FileId, path: str) -> None:
        """Index a file by its path. Catch-up readers are found by their file."""
        if key.catch_up_trigger or self._paths.get(key) == path:
            return
        self.remove(key)
        self._paths[key] = path
        self._logs.setdefault(path, set()).add(key)
        folder, own_name = os.path.split(path)
        for name in possible_names(path):
            self._by_path.setdefault(os.path.join(folder, name), {})[key] = None  # noqa: PTH118
            self._folders.setdefault(name, set()).add(folder)
            self._update_other_folders(folder, name)
        self._update_other_folders(folder, own_name)

    def remove(self, key: FileId) -> None:
        if (path := self._paths.pop(key, None)) is None:
            return
        self._logs[path].discard(key)
        if not self._logs[path]:
            del self._logs[path]
        folder, _ = os.path.split(path)
        for name in possible_names(path):
            keys = self._by_path[named := os.path.join(folder, name)]  # noqa: PTH118
            keys.pop(key, None)
            if not keys:
                del self._by_path[named]
                self._folders[name].discard(folder)
            self._update_other_folders(folder, name)

    def expect(self, path: str) -> None:
        """Count a file that will be added unless it is deleted before."""
        self._expected.update(_paths_before_rotation(path))

    def stop_expecting(self, path: str) -> None:
        for each in _paths_before_rotation(path):
            self._expected[each] -= 1
            if not self._expected[each]:
                del self._expected[each]

    def is_log_path(self, path: str) -> bool:
        """Whether a path is the path of a file, so that its directory is that of its log."""
        return path in self._logs

    def for_path(self, path: str) -> list[FileId]:
        """List the files that a path named, and files of that name in directories without a log."""
        folder, name = os.path.split(path)
        found = dict.fromkeys(self._generations(path))
        for other in self._other_folders.get(name, set()) - {folder}:
            found |= dict.fromkeys(self._generations(os.path.join(other, name)))  # noqa: PTH118
        return list(found)

    def for_name(self, name: str) -> list[FileId]:
        """List the files that have or had a name, in any directory."""
        return [
            key
            for folder in self._folders.get(name, ())
            for key in self._generations(os.path.join(folder, name))  # noqa: PTH118
        ]

    def _generations(self, path: str) -> Collection[FileId]:
        keys = self._by_path.get(path, {})
        count = len(keys) + self._expected.get(path, 0)
        return keys if count <= _MOST_GENERATIONS else self._logs.get(path, ())

    def _update_other_folders(self, folder: str, name: str) -> None:
        path = os.path.join(folder, name)  # noqa: PTH118
        folders = self._other_folders.setdefault(name, set())
        if path in self._by_path and path not in self._logs:
            folders.add(folder)
        else:
            folders.discard(folder)
            if not folders:
                del self._other_folders[name]


def _paths_before_rotation(path: str) -> list[str]:
    """List the path of a file, and those that it may have had before rotation."""
    folder, _ = os.path.split(path)
    return [os.path.join(folder, name) for name in possible_names(path)]  # noqa: PTH118
