"""The files of one trigger as last reported, and what a new look at them means. No clock, no loop.

Only the comparison of two looks counts: a path is created if it was unknown and exists, deleted if
it was known and does not exist, and modified if its size, time or inode has changed. So a file that
was replaced, by a rename or by removing and creating it, is modified. Of a symbolic link, the link
itself counts. A directory counts only for patterns that end in a slash, which match nothing else;
it is created and deleted, never modified.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple, Self

from notifyd.config.triggers import FileTriggerConfig
from notifyd.sources.files.gitignore import GitignoreRules
from notifyd.sources.files.state import FileState, StatResult, read_state
from notifyd.sources.globs import Glob, name_matcher
from notifyd.sources.path_chains import PathChain, follow_path
from notifyd.sources.stored_values import StoredFields, unescape_path
from notifyd.sources.unreadable_dirs import directory_problem

ChangeKind = Literal["created", "modified", "deleted"]

_OPEN_INTERVAL = 0.5
"""Seconds, at least, between two looks at a file that is open for writing."""


class _Pattern(NamedTuple):
    """for_directories: it ends in a slash, and matches directories only."""

    glob: Glob
    for_directories: bool


class FileTerms(NamedTuple):
    """What a trigger watches. If it changes, the trigger is armed again."""

    paths: list[str]
    ignore: list[str]
    gitignore: bool = False

    def encode(self) -> str:
        terms: dict[str, object] = {"paths": self.paths, "ignore": self.ignore}
        return json.dumps(terms | ({"gitignore": True} if self.gitignore else {}))

    @classmethod
    def decode(cls, text: str) -> Self:
        """Decode what `encode` returned; CheckpointValueError for anything else."""
        fields = StoredFields.decode(text)
        gitignore = fields.boolean("gitignore", default=False)
        return cls(fields.texts("paths"), fields.texts("ignore"), gitignore)


class FileChange(NamedTuple):
    kind: ChangeKind
    path: str
    state: FileState | None


class SweepResult(NamedTuple):
    """The result of a look at all files.

    differences: paths whose state is not the known one, with their state, None if deleted.
    silent: further ones that are not reported, because only the rules of `.gitignore` have changed.
    directories: where a match could appear. chains: how each directory that contains all matches of
    a pattern was reached. missing: those of them that do not exist. unreadable: by directory, why
    it cannot be read.
    """

    differences: list[tuple[str, FileState | None]]
    silent: list[tuple[str, FileState | None]]
    directories: set[str]
    chains: dict[str, PathChain]
    missing: set[str]
    unreadable: dict[str, str]

    def changes(self, snapshot: "Snapshot", *, silent: bool = False) -> Iterator[FileChange]:
        """Yield the differences as changes, settled or not. silent: those that are silent."""
        differences = self.silent if silent else self.differences
        found = (snapshot.compare(path, state) for path, state in differences)
        return (change for change in found if change)


class Snapshot:
    """`excluded`: directories whose content never matches."""

    def __init__(self, trigger: FileTriggerConfig, excluded: tuple[Path, ...] = ()) -> None:
        self._patterns = [
            _Pattern(glob, path.endswith("/"))
            for path, glob in zip(trigger.paths, map(Glob, trigger.paths), strict=True)
            if not any(glob.root.is_relative_to(directory) for directory in excluded)
        ]
        self.uses_gitignore = trigger.gitignore
        self._rules: dict[str, GitignoreRules] = {}
        """By the root of a pattern, as of the last sweep."""
        self.has_stale = trigger.stale is not None
        self.settle = trigger.settle or 0.0
        default = ["created", "deleted", "modified"] if trigger.settle else ["created", "deleted"]
        events = default if trigger.events is None else trigger.events
        self.events: frozenset[str] = frozenset(events)
        self.known: dict[str, FileState] = {}
        self.directories: set[str] = set()
        """Where a match could appear, as of the last sweep."""
        self.terms = FileTerms(trigger.paths, trigger.ignore, trigger.gitignore)
        self._ignored = [Glob(path) for path in trigger.ignore if "/" in path]
        self._ignored_names = [name_matcher(name) for name in trigger.ignore if "/" not in name]
        self._excluded = frozenset(map(str, excluded))
        self._unsettled: dict[str, tuple[FileState | None, float]] = {}

    def restore(self, path: str, value: str) -> bool:
        """Restore one file from its stored value; return False for a directory that does not count.

        CheckpointValueError: the value is unusable.
        """
        unescaped = unescape_path(path)
        state = FileState.decode(value)
        if state.is_directory and self._counted(unescaped, state) is None:
            return False
        self.known[unescaped] = state
        return True

    def is_watched(self, path: str) -> bool:
        """Return whether the path is in a directory where a match could appear."""
        return os.path.dirname(path) in self.directories  # noqa: PTH120 - called for every hint

    def matches(self, path: str, state: FileState | None) -> bool:
        """Return whether a watched path matches. state: as it is now."""
        return any(each.glob.matches(path) for each in self._patterns) and not self._is_ignored(
            path, is_directory=state is not None and state.is_directory
        )

    def preload_rules(self, results: Iterable[StatResult]) -> None:
        """Read what `.gitignore` says of paths, so that `matches` knows it. Blocking."""
        for result in results:
            if self.is_watched(result.path):
                self.matches(result.path, result.state)

    def look_at(self, path: str, state: FileState | None, now: float) -> FileChange | None:
        """Take the state of a matching path, as `observe` does, if it counts for the patterns."""
        return self.observe(path, self._counted(path, state), now)

    def is_changed(self, path: str, state: FileState | None) -> bool:
        """Return whether a matching path differs from what is known of it."""
        return self.compare(path, self._counted(path, state)) is not None

    def _counted(self, path: str, state: FileState | None) -> FileState | None:
        """Return the state of a path; None if no pattern that matches it is for its kind."""
        if state is None:
            return None
        kinds = (each.for_directories for each in self._patterns if each.glob.matches(path))
        return state if state.is_directory in kinds else None

    def sweep(self) -> SweepResult:
        """Look at all files, and read the rules of `.gitignore` again. Blocking."""
        differences: dict[str, FileState | None] = {}
        directories: set[str] = set()
        chains: dict[str, PathChain] = {}
        missing: set[str] = set()
        unlisted: list[str] = []
        silent: list[tuple[str, FileState | None]] = []
        matched: set[str] = set()
        earlier, self._rules = self._rules, self._read_rules()
        skip = self._skip()
        for glob, for_directories in self._patterns:
            root = str(glob.root)
            chains[root] = follow_path(root)
            if not os.path.isdir(root):  # noqa: PTH112 - a Path may raise
                unlisted.append(root)
                missing.add(root)
            for found in glob.walk(skip, lambda error: unlisted.append(error.filename)):
                if found.is_entered:
                    directories.add(found.path)
                if found.is_match and found.path not in matched:
                    self._add_match(found.path, for_directories, matched, differences)
        for path in self.known.keys() - matched:
            if not any(each.glob.matches(path) for each in self._patterns):
                differences[path] = None
            elif self._is_ignored(path, is_directory=self.known[path].is_directory):
                silent.append((path, None))
            else:
                self._add_difference(path, differences)
        if earlier and self._rules:
            uncovered = [
                path
                for path, state in differences.items()
                if state is not None
                and path not in self.known
                and _excludes(earlier, path, is_directory=state.is_directory)
            ]
            silent += [(path, differences.pop(path)) for path in uncovered]
        names = {name.rstrip("/") or "/" for name in unlisted}
        directories -= names
        unreadable = {name: reason for name in names if (reason := directory_problem(name))}
        missing -= unreadable.keys()
        return SweepResult(
            list(differences.items()), silent, directories, chains, missing, unreadable
        )

    def postpone(self, path: str, now: float) -> None:
        """Wait for `settle` once more: somebody has the file open for writing."""
        state, _ = self._unsettled.pop(path)
        self._unsettled[path] = (state, now + max(self.settle, _OPEN_INTERVAL))

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
        return "modified" in self.events or self.settle > 0 or self.has_stale

    @property
    def next_due(self) -> float | None:
        return next((deadline for _, deadline in self._unsettled.values()), None)

    def _add_match(
        self,
        path: str,
        for_directories: bool,  # noqa: FBT001 - of the pattern that matches
        matched: set[str],
        differences: dict[str, FileState | None],
    ) -> None:
        """Add the difference of a path that the walk has found, if it is of the right kind."""
        try:
            state = read_state(path)
        except OSError:  # unknown is not deleted
            matched.add(path)
            return
        if state is None or state.is_directory is for_directories:
            matched.add(path)
            if state != self.known.get(path) or path in self._unsettled:
                differences[path] = state

    def _add_difference(self, path: str, differences: dict[str, FileState | None]) -> None:
        """Add the difference of a known path that the walk has not found."""
        try:
            state = self._counted(path, read_state(path))
        except OSError:  # unknown is not deleted
            return
        if state != self.known.get(path) or path in self._unsettled:
            differences[path] = state

    def _read_rules(self) -> dict[str, GitignoreRules]:
        roots = {str(each.glob.root) for each in self._patterns} if self.uses_gitignore else ()
        return {root: GitignoreRules(root, self._rules.get(root)) for root in roots}

    def _skip(self) -> Callable[[os.DirEntry[str]], bool] | None:
        is_needed = self._ignored or self._ignored_names or self._excluded or self._rules
        return self._is_entry_ignored if is_needed else None

    def _is_entry_ignored(self, entry: os.DirEntry[str]) -> bool:
        is_directory = bool(self._rules) and entry.is_dir(follow_symlinks=False)
        return self._is_ignored(entry.path, is_directory=is_directory)

    def _is_ignored(self, path: str, *, is_directory: bool) -> bool:
        name = path.rpartition("/")[2]
        return (
            path in self._excluded
            or any(matches(name) for matches in self._ignored_names)
            or any(glob.matches(path) for glob in self._ignored)
            or _excludes(self._rules, path, is_directory=is_directory)
        )


def _excludes(rules: Mapping[str, GitignoreRules], path: str, *, is_directory: bool) -> bool:
    """Return whether the rules of a directory above a path leave it out."""
    return any(
        each.is_ignored(path, is_directory=is_directory)
        for root, each in rules.items()
        if path.startswith(f"{root.rstrip('/')}/")
    )
