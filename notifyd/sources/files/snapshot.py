"""The files of one trigger as last reported, and what a new look at them means. No clock, no loop.

Only the comparison of two looks counts: a path is created if it was unknown and exists, deleted if
it was known and does not exist, and modified if its size, time or inode has changed. So a file that
was replaced, by a rename or by removing and creating it, is modified. A directory that matches is
created and deleted, never modified. Of a symbolic link, the link itself counts.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple, Self

from notifyd.config.triggers import FileTriggerConfig
from notifyd.sources.files.state import FileState, escape_path, read_state
from notifyd.sources.globs import Glob, name_matcher
from notifyd.sources.path_chains import PathChain, follow_path
from notifyd.sources.stored_values import StoredFields
from notifyd.sources.unreadable_dirs import directory_problem

ChangeKind = Literal["created", "modified", "deleted"]

_SURROGATE = re.compile(r"\\u(dc[89a-f][0-9a-f])")


class FileTerms(NamedTuple):
    """What a trigger watches. If it changes, the trigger is armed anew."""

    paths: list[str]
    ignore: list[str]

    def encode(self) -> str:
        return json.dumps({"paths": self.paths, "ignore": self.ignore})

    @classmethod
    def decode(cls, text: str) -> Self:
        """Decode what `encode` returned; CheckpointValueError for anything else."""
        fields = StoredFields.decode(text)
        return cls(fields.texts("paths"), fields.texts("ignore"))


class FileChange(NamedTuple):
    kind: ChangeKind
    path: str
    state: FileState | None


class SweepResult(NamedTuple):
    """The result of a look at all files.

    differences: paths whose state is not the known one, with their state, None if deleted.
    directories: where a match could appear. chains: how each directory that contains all matches of
    a pattern was reached. missing: those of them that do not exist. unreadable: by directory, why
    it cannot be read.
    """

    differences: list[tuple[str, FileState | None]]
    directories: set[str]
    chains: dict[str, PathChain]
    missing: set[str]
    unreadable: dict[str, str]

    def changes(self, snapshot: "Snapshot") -> Iterator[FileChange]:
        """Yield the differences as changes, settled or not."""
        found = (snapshot.compare(path, state) for path, state in self.differences)
        return (change for change in found if change)


class Snapshot:
    """`excluded`: directories whose content never matches."""

    def __init__(self, trigger: FileTriggerConfig, excluded: tuple[Path, ...] = ()) -> None:
        self.globs = [
            glob
            for glob in map(Glob, trigger.paths)
            if not any(glob.root.is_relative_to(directory) for directory in excluded)
        ]
        self.settle = trigger.settle or 0.0
        default = ["created", "deleted", "modified"] if trigger.settle else ["created", "deleted"]
        self.events: frozenset[str] = frozenset(trigger.events or default)
        self.known: dict[str, FileState] = {}
        self.directories: set[str] = set()
        """Where a match could appear, as of the last sweep."""
        self.terms = FileTerms(trigger.paths, trigger.ignore)
        self._ignored = [Glob(path) for path in trigger.ignore if "/" in path]
        self._ignored_names = [name_matcher(name) for name in trigger.ignore if "/" not in name]
        self._excluded = frozenset(map(str, excluded))
        self._unsettled: dict[str, tuple[FileState | None, float]] = {}

    def restore(self, path: str, value: str) -> None:
        """Restore one file from its stored value; CheckpointValueError if it is unusable."""
        unescaped = _SURROGATE.sub(lambda found: chr(int(found[1], 16)), path)
        self.known[unescaped] = FileState.decode(value)

    def is_watched(self, path: str) -> bool:
        """Return whether the path is in a directory where a match could appear."""
        return os.path.dirname(path) in self.directories  # noqa: PTH120 - called for every hint

    def matches(self, path: str) -> bool:
        """Return whether a watched path matches."""
        return any(glob.matches(path) for glob in self.globs) and not self._is_ignored(path)

    def sweep(self) -> SweepResult:
        """Look at all files. Blocking; changes nothing."""
        differences: dict[str, FileState | None] = {}
        directories: set[str] = set()
        chains: dict[str, PathChain] = {}
        missing: set[str] = set()
        unlisted: list[str] = []
        matched: set[str] = set()
        skip = self._skip()
        for glob in self.globs:
            root = str(glob.root)
            chains[root] = follow_path(root)
            if not os.path.isdir(root):  # noqa: PTH112 - a Path may raise
                unlisted.append(root)
                missing.add(root)
            for found in glob.walk(skip, lambda error: unlisted.append(error.filename)):
                if found.is_entered:
                    directories.add(found.path)
                if found.is_match and found.path not in matched:
                    matched.add(found.path)
                    self._add_difference(found.path, differences)
        for path in self.known.keys() - matched:
            if any(glob.matches(path) for glob in self.globs) and not self._is_ignored(path):
                self._add_difference(path, differences)
            else:
                differences[path] = None
        names = {name.rstrip("/") or "/" for name in unlisted}
        directories -= names
        unreadable = {name: reason for name in names if (reason := directory_problem(name))}
        missing -= unreadable.keys()
        return SweepResult(list(differences.items()), directories, chains, missing, unreadable)

    def observe(self, path: str, state: FileState | None, now: float) -> FileChange | None:
        """Take the state of a path; returns its change once it has settled."""
        change = self.compare(path, state)
        if change is None:
            self._unsettled.pop(path, None)
        elif self.settle:
            before = self._unsettled.get(path)
            if before is None or before[0] != state:
                # Moved to the end, so that the first path is the first to settle.
                self._unsettled.pop(path, None)
                self._unsettled[path] = (state, now + self.settle)
                return None
            if now < before[1]:
                return None
        return change

    def compare(self, path: str, state: FileState | None) -> FileChange | None:
        """Return the change from the known state of a path; None if there is none."""
        known = self.known.get(path)
        if state == known:
            return None
        if known is None:
            return FileChange("created", path, state)
        return FileChange("deleted" if state is None else "modified", path, state)

    def apply(self, change: FileChange) -> None:
        """Make the changed state the known one: to be called once the change is committed."""
        self._unsettled.pop(change.path, None)
        if change.state is None:
            self.known.pop(change.path, None)
        else:
            self.known[change.path] = change.state

    def due(self, now: float) -> list[str]:
        """List the paths that were unchanged for `settle`, to be looked at once more."""
        paths = []
        for path, (_, deadline) in self._unsettled.items():
            if deadline > now:
                break
            paths.append(path)
        return paths

    def discard(self, paths: Iterable[str]) -> None:
        """Stop waiting for paths whose state is unknown; a later sweep may find them again."""
        for path in paths:
            self._unsettled.pop(path, None)

    @property
    def needs_modifications(self) -> bool:
        """Whether it matters that a known file has been modified."""
        return "modified" in self.events or self.settle > 0

    @property
    def next_due(self) -> float | None:
        return next((deadline for _, deadline in self._unsettled.values()), None)

    def _add_difference(self, path: str, differences: dict[str, FileState | None]) -> None:
        try:
            state = read_state(path)
        except OSError:  # unknown is not deleted
            return
        if state != self.known.get(path) or path in self._unsettled:
            differences[path] = state

    def _skip(self) -> Callable[[str], bool] | None:
        is_needed = self._ignored or self._ignored_names or self._excluded
        return self._is_ignored if is_needed else None

    def _is_ignored(self, path: str) -> bool:
        name = path.rpartition("/")[2]
        return (
            path in self._excluded
            or any(matches(name) for matches in self._ignored_names)
            or any(glob.matches(path) for glob in self._ignored)
        )


def checkpoint_updates(trigger: str, changes: Iterable[FileChange]) -> Mapping[str, str | None]:
    """Return what to store of these changes."""
    return {
        f"file:{trigger}:{escape_path(change.path)}": (
            None if change.state is None else change.state.encode()
        )
        for change in changes
    }
