"""Files by what they are called, and by what they may have been called before rotation."""

import os

from notifyd.sources.logs.checkpoint import FileId
from notifyd.sources.logs.discovery.rotated_files import family


class RotationIndex:
    """A folder is a log's home if the log lies in it; elsewhere, as in an olddir, lie its strays.

    Strays are kept apart, so that a look-up costs the same however many logs have one name. What
    lies in a home belongs to the log there.
    """

    def __init__(self) -> None:
        self._paths: dict[FileId, str] = {}
        self._by_path: dict[str, dict[FileId, None]] = {}
        self._logs: dict[str, set[FileId]] = {}
        self._folders: dict[str, set[str]] = {}
        self._strays: dict[str, set[str]] = {}

    def add(self, key: FileId, path: str) -> None:
        """Have a file found by its path; lanes are found by their file."""
        if key.catch_up_trigger or self._paths.get(key) == path:
            return
        self.remove(key)
        self._paths[key] = path
        self._logs.setdefault(path, set()).add(key)
        folder, own = os.path.split(path)
        for name in family(path):
            self._by_path.setdefault(os.path.join(folder, name), {})[key] = None  # noqa: PTH118
            self._folders.setdefault(name, set()).add(folder)
            self._update_strays(folder, name)
        self._update_strays(folder, own)

    def remove(self, key: FileId) -> None:
        if (path := self._paths.pop(key, None)) is None:
            return
        self._logs[path].discard(key)
        if not self._logs[path]:
            del self._logs[path]
        folder, _ = os.path.split(path)
        for name in family(path):
            keys = self._by_path[called := os.path.join(folder, name)]  # noqa: PTH118
            keys.pop(key, None)
            if not keys:
                del self._by_path[called]
                self._folders[name].discard(folder)
            self._update_strays(folder, name)

    def is_log_path(self, path: str) -> bool:
        """Whether a path is a log's own, so that its folder is the home of that one."""
        return path in self._logs

    def for_path(self, path: str) -> list[FileId]:
        """List what a path named, with strays of that name from anywhere."""
        folder, name = os.path.split(path)
        found = dict(self._by_path.get(path, {}))
        for stray in self._strays.get(name, set()) - {folder}:
            found |= self._by_path[os.path.join(stray, name)]  # noqa: PTH118
        return list(found)

    def for_name(self, name: str) -> list[FileId]:
        """List what is or was called so in any folder."""
        return [
            key
            for folder in self._folders.get(name, ())
            for key in self._by_path[os.path.join(folder, name)]  # noqa: PTH118
        ]

    def _update_strays(self, folder: str, name: str) -> None:
        path = os.path.join(folder, name)  # noqa: PTH118
        strays = self._strays.setdefault(name, set())
        if path in self._by_path and path not in self._logs:
            strays.add(folder)
        else:
            strays.discard(folder)
            if not strays:
                del self._strays[name]
