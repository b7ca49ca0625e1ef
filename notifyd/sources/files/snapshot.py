"""What one file trigger knows of its files, and what a new look at them means. No clock, no loop.

Truth is the comparison of two looks, whatever was heard in between: created = it was not known and
is there; deleted = it was known and is gone; modified = its size, time or inode is another one, so
a file that was replaced, by a rename or by removing and creating it, counts as modified. A
directory that matches counts as created and deleted, never as modified; of a symbolic link, the
link counts.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from notifyd.config.triggers import FileTriggerConfig
from notifyd.sources.files.stat_sweep import FileMark, look, printable
from notifyd.sources.globs import Glob, name_test
from notifyd.sources.unreadable_dirs import why_closed

Kind = Literal["created", "modified", "deleted"]

_SURROGATE = re.compile(r"\\u(dc[89a-f][0-9a-f])")


class FileChange(NamedTuple):
    kind: Kind
    path: str
    mark: FileMark | None


class SnapshotDiff(NamedTuple):
    """One look at everything.

    differences: paths that are not as known, with their mark, None if gone.
    folders: directories in which a match could appear. closed: by directory why it could not be
    looked into.
    """

    differences: list[tuple[str, FileMark | None]]
    folders: set[str]
    closed: dict[str, str]

    def changes(self, snapshot: "Snapshot") -> Iterator[FileChange]:
        """Give what the differences mean, settled or not."""
        found = (snapshot.difference(path, mark) for path, mark in self.differences)
        return (change for change in found if change)


class Snapshot:
    """The files of one trigger as they were last told. `never`: directories left out."""

    def __init__(self, trigger: FileTriggerConfig, never: tuple[Path, ...] = ()) -> None:
        self.globs = [
            glob
            for glob in map(Glob, trigger.paths)
            if not any(glob.root.is_relative_to(folder) for folder in never)
        ]
        self.settle = trigger.settle or 0.0
        default = ["created", "deleted", "modified"] if trigger.settle else ["created", "deleted"]
        self.events: frozenset[str] = frozenset(trigger.events or default)
        self.known: dict[str, FileMark] = {}
        self.folders: set[str] = set()
        """Where a match could appear, by the last survey."""
        self.terms = json.dumps({"paths": trigger.paths, "ignore": trigger.ignore})
        """What was asked for when the trigger was armed; under other terms it is armed anew."""
        self._ignored = [Glob(path) for path in trigger.ignore if "/" in path]
        self._ignored_names = [name_test(name) for name in trigger.ignore if "/" not in name]
        self._never = frozenset(map(str, never))
        self._unsettled: dict[str, tuple[FileMark | None, float]] = {}

    def load(self, path: str, value: str) -> None:
        """Restore one file from its stored value; CheckpointValueError for an unusable one."""
        real = _SURROGATE.sub(lambda found: chr(int(found[1], 16)), path)
        self.known[real] = FileMark.decode(value)

    def hears(self, path: str) -> bool:
        """Say whether the path lies where a match could appear."""
        return os.path.dirname(path) in self.folders  # noqa: PTH120 - called for every hint

    def matches(self, path: str) -> bool:
        """Say whether the path, which lies in one of `folders`, is one of ours."""
        return any(glob.matches(path) for glob in self.globs) and not self._left_out(path)

    def survey(self) -> SnapshotDiff:
        """Walk over everything. Blocking; changes nothing."""
        differences: dict[str, FileMark | None] = {}
        folders: set[str] = set()
        refused: list[str] = []
        met: set[str] = set()
        for glob in self.globs:
            folders.update(_way(glob.root))
            if not os.path.isdir(glob.root):  # noqa: PTH112 - of a Path it may be an error
                refused.append(str(glob.root))
            for found in glob.walk(self._skip(), lambda error: refused.append(error.filename)):
                if found.entered:
                    folders.add(found.path)
                if found.matched and found.path not in met:
                    met.add(found.path)
                    self._compare(found.path, differences)
        for path in self.known.keys() - met:
            if any(glob.matches(path) for glob in self.globs) and not self._left_out(path):
                self._compare(path, differences)
            else:
                differences[path] = None
        names = {name.rstrip("/") or "/" for name in refused}
        folders -= names
        closed = {name: sentence for name in names if (sentence := why_closed(name))}
        return SnapshotDiff(list(differences.items()), folders, closed)

    def observe(self, path: str, mark: FileMark | None, now: float) -> FileChange | None:
        """Take in one look; gives what it means once that has settled."""
        change = self.difference(path, mark)
        if change is None:
            self._unsettled.pop(path, None)
        elif self.settle:
            before = self._unsettled.get(path)
            if before is None or before[0] != mark:
                # Put at the end, so that the first one is always the first that falls due.
                self._unsettled.pop(path, None)
                self._unsettled[path] = (mark, now + self.settle)
                return None
            if now < before[1]:
                return None
        return change

    def difference(self, path: str, mark: FileMark | None) -> FileChange | None:
        """Say what a look means against what is known."""
        known = self.known.get(path)
        if mark == known:
            return None
        if known is None:
            return FileChange("created", path, mark)
        return FileChange("deleted" if mark is None else "modified", path, mark)

    def adopt(self, change: FileChange) -> None:
        """Know it from now on: call this once it is committed."""
        self._unsettled.pop(change.path, None)
        if change.mark is None:
            self.known.pop(change.path, None)
        else:
            self.known[change.path] = change.mark

    def due(self, now: float) -> list[str]:
        """List the paths that were unchanged for long enough and need one more look."""
        paths = []
        for path, (_, deadline) in self._unsettled.items():
            if deadline > now:
                break
            paths.append(path)
        return paths

    def put_off(self, paths: Iterable[str]) -> None:
        """Ask no more for paths of which nothing can be known; a later survey may."""
        for path in paths:
            self._unsettled.pop(path, None)

    @property
    def compares(self) -> bool:
        """Whether it matters that a file that is known has changed."""
        return "modified" in self.events or self.settle > 0

    @property
    def deadline(self) -> float | None:
        """When the next path falls due."""
        return next((deadline for _, deadline in self._unsettled.values()), None)

    def _compare(self, path: str, differences: dict[str, FileMark | None]) -> None:
        try:
            mark = look(path)
        except OSError:  # not to be known is not to be gone
            return
        if mark != self.known.get(path) or path in self._unsettled:
            differences[path] = mark

    def _skip(self) -> Callable[[str], bool] | None:
        some = self._ignored or self._ignored_names or self._never
        return self._left_out if some else None

    def _left_out(self, path: str) -> bool:
        name = path.rpartition("/")[2]
        return (
            path in self._never
            or any(fits(name) for fits in self._ignored_names)
            or any(glob.matches(path) for glob in self._ignored)
        )


def record(name: str, changes: list[FileChange]) -> Mapping[str, str | None]:
    """Write what the store must remember of these changes of the trigger `name`."""
    return {
        f"file:{name}:{printable(change.path)}": (
            None if change.mark is None else change.mark.encode()
        )
        for change in changes
    }


def _way(root: Path) -> Iterator[str]:
    """Give the directory above the root, or above what is missing of the way to it.

    It shows the root coming and going, which the root itself cannot.
    """
    for folder in root.parents:
        if os.path.isdir(folder):  # noqa: PTH112 - of a Path it may be an error
            if os.access(folder, os.R_OK, effective_ids=True):
                yield str(folder)
            return
