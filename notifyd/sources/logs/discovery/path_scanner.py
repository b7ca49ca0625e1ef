"""Finds the paths that match the patterns of log triggers, and the directories to watch."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from notifyd.sources.globs import Glob, GlobEntry
from notifyd.sources.logs.discovery.access import COMPRESSED_SUFFIXES
from notifyd.sources.unreadable_dirs import directory_problem


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What path patterns match.

    watch_dirs: directories in which a match may appear or change. matched_patterns: patterns that
    match something.
    unreadable_dirs: by pattern, the directories that cannot be listed, each with the problem.
    """

    paths: set[str] = field(default_factory=set)
    watch_dirs: set[str] = field(default_factory=set)
    matched_patterns: set[str] = field(default_factory=set)
    unreadable_dirs: dict[str, dict[str, str]] = field(default_factory=dict)

    def merge(self, later: "ScanResult") -> "ScanResult":
        """Add the result of a later scan of some of the patterns."""
        return ScanResult(
            self.paths | later.paths,
            self.watch_dirs | later.watch_dirs,
            self.matched_patterns | later.matched_patterns,
            self.unreadable_dirs | later.unreadable_dirs,
        )

    @property
    def problems(self) -> set[str]:
        by_pattern = self.unreadable_dirs.values()
        return {problem for problems in by_pattern for problem in problems.values()}

    def recheck_unreadable(self) -> set[str]:
        """Return the unreadable directories that now have no problem, or another one."""
        before: dict[str, str] = {}
        for problems in self.unreadable_dirs.values():
            before |= problems
        return {path for path, problem in before.items() if directory_problem(path) != problem}


class PathScanner:
    """Matches paths against patterns by trigger.

    excluded_dirs: directories of notifyd itself, which no pattern matches. Compressed files are
    not matched either.
    """

    def __init__(
        self, patterns: Mapping[str, Sequence[str]], excluded_dirs: tuple[Path, ...]
    ) -> None:
        self._globs: dict[str, Glob] = {}
        self._triggers: dict[str, list[str]] = {}
        for trigger, its_patterns in patterns.items():
            for pattern in its_patterns:
                self._globs.setdefault(pattern, Glob(pattern))
                self._triggers.setdefault(pattern, []).append(trigger)
        self._order = {trigger: number for number, trigger in enumerate(patterns)}
        self._excluded = {
            form for path in excluded_dirs for form in (str(path), os.path.realpath(path))
        }

    def patterns_for(self, path: str) -> list[tuple[str, str]]:
        """List the triggers and patterns that match a path."""
        if self._is_excluded(path):
            return []
        return [
            (trigger, pattern)
            for pattern, glob in self._globs.items()
            if glob.matches(path)
            for trigger in self._triggers[pattern]
        ]

    @property
    def roots(self) -> set[str]:
        """The directories that contain all matches of a pattern, whether or not they exist."""
        return {str(glob.root) for glob in self._globs.values()}

    def is_below_root(self, path: str) -> bool:
        """Whether a path is the root of a pattern or below it."""
        return any(path == root or path.startswith(root.rstrip("/") + "/") for root in self.roots)

    def vanished_patterns(self, found: ScanResult) -> set[str]:
        """Return the patterns that matched something and whose path or root is now missing."""
        return {
            glob.pattern
            for glob in self._globs.values()
            if glob.pattern in found.matched_patterns
            if not os.path.lexists(glob.pattern if glob.is_literal else glob.root)
        }

    def is_ignored_dir(self, path: str) -> bool:
        """Whether a path is a directory that at most wildcards match: `logs/*` is not about it."""
        return path not in self._globs and os.path.isdir(path)  # noqa: PTH112

    def missing_patterns(self, found: ScanResult) -> list[str]:
        """List the patterns that match nothing, except those with unreadable directories."""
        patterns = (glob.pattern for glob in self._globs.values())
        return [
            pattern
            for pattern in patterns
            if pattern not in found.matched_patterns and not found.unreadable_dirs.get(pattern)
        ]

    def mark_matched(self, found: ScanResult, paths: Iterable[str]) -> None:
        """Add the patterns that match one of these paths, if it exists, to a scan's result."""
        if not self.missing_patterns(found):
            return
        existing = [path for path in paths if os.path.lexists(path)]
        for glob in self._globs.values():
            if any(map(glob.matches, existing)):
                found.matched_patterns.add(glob.pattern)

    def in_config_order(self, triggers: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(set(triggers), key=self._order.__getitem__))

    def scan(self, near: Iterable[str] | None = None) -> ScanResult:
        """Find what all patterns match, or those that may match at or below some paths."""
        result = ScanResult()
        globs = list(self._globs.values())
        if near is not None:
            near = list(near)
            globs = [glob for glob in globs if any(_is_related(str(glob.root), at) for at in near)]
        for glob in globs:
            root = str(glob.root)
            problems = result.unreadable_dirs[glob.pattern] = {}
            if not os.path.isdir(root):  # noqa: PTH112 - strings throughout
                _add_problem(problems, root)
            errors: list[OSError] = []
            for entry in glob.walk(lambda found: self._is_excluded(found.path), errors.append):
                if entry.is_entered:
                    result.watch_dirs.add(entry.path)
                if entry.is_match and (entry.path == glob.pattern or not _is_directory(entry)):
                    result.paths.add(entry.path)
                    result.matched_patterns.add(glob.pattern)
            for error in errors:
                _add_problem(problems, error.filename)
        return result

    def _is_excluded(self, path: str) -> bool:
        if path.endswith(COMPRESSED_SUFFIXES):
            return True
        return any(path == own or path.startswith(own + "/") for own in self._excluded)


def _is_directory(entry: GlobEntry) -> bool:
    return entry.is_entered or os.path.isdir(entry.path)  # noqa: PTH112


def _is_related(root: str, path: str) -> bool:
    return root == path or root.startswith(path + "/") or path.startswith(root.rstrip("/") + "/")


def _add_problem(problems: dict[str, str], directory: str) -> None:
    directory = directory.rstrip("/") or "/"
    if problem := directory_problem(directory):
        problems[directory] = problem
