"""Which paths the log triggers name, which of them exist, and which directories tell of more."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from notifyd.sources.globs import Found, Glob
from notifyd.sources.logs.discovery.access import COMPRESSED_SUFFIXES
from notifyd.sources.unreadable_dirs import directory_problem, nearest_visible_dir


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a walk over path patterns found.

    watch_dirs: directories whose changes matter. awaited_dirs: those in which a missing directory
    would appear. matched_patterns: patterns that match something. unreadable_dirs: by pattern, the
    directories that could not be listed, each with the reason.
    """

    paths: set[str] = field(default_factory=set)
    watch_dirs: set[str] = field(default_factory=set)
    awaited_dirs: set[str] = field(default_factory=set)
    matched_patterns: set[str] = field(default_factory=set)
    unreadable_dirs: dict[str, dict[str, str]] = field(default_factory=dict)

    def merge(self, later: "ScanResult") -> "ScanResult":
        """Add what a later walk over some of the patterns met, which knows better of these."""
        return ScanResult(
            self.paths | later.paths,
            self.watch_dirs | later.watch_dirs,
            self.awaited_dirs | later.awaited_dirs,
            self.matched_patterns | later.matched_patterns,
            self.unreadable_dirs | later.unreadable_dirs,
        )

    @property
    def problems(self) -> set[str]:
        return {
            sentence for closed in self.unreadable_dirs.values() for sentence in closed.values()
        }

    def recheck_unreadable(self) -> set[str]:
        """Look at the closed directories again; list those that are open, or closed otherwise."""
        closed = {
            path: said for each in self.unreadable_dirs.values() for path, said in each.items()
        }
        return {path for path, said in closed.items() if directory_problem(path) != said}


class PathScanner:
    """By trigger its path patterns. never: directories of our own, which are no source."""

    def __init__(self, patterns: Mapping[str, Sequence[str]], never: tuple[Path, ...]) -> None:
        self._globs: dict[str, Glob] = {}
        self._triggers: dict[str, list[str]] = {}
        for trigger, its_patterns in patterns.items():
            for pattern in its_patterns:
                self._globs.setdefault(pattern, Glob(pattern))
                self._triggers.setdefault(pattern, []).append(trigger)
        self._order = {trigger: number for number, trigger in enumerate(patterns)}
        self._never = {form for path in never for form in (str(path), os.path.realpath(path))}

    def patterns_for(self, path: str) -> list[tuple[str, str]]:
        """List the triggers and their patterns that name this path."""
        if self._skipped(path):
            return []
        return [
            (trigger, pattern)
            for pattern, glob in self._globs.items()
            if glob.matches(path)
            for trigger in self._triggers[pattern]
        ]

    def is_ignored_dir(self, path: str) -> bool:
        """Say whether this is a directory that only globs name: `logs/*` does not mean it."""
        return path not in self._globs and os.path.isdir(path)  # noqa: PTH112

    def missing_patterns(self, found: ScanResult) -> list[str]:
        """List the patterns that name nothing yet, as far as that can be seen."""
        patterns = (glob.pattern for glob in self._globs.values())
        return [
            name
            for name in patterns
            if name not in found.matched_patterns and not found.unreadable_dirs.get(name)
        ]

    def mark_matched(self, found: ScanResult, paths: Iterable[str]) -> None:
        """Take note of these paths, for the patterns that name nothing yet."""
        if not self.missing_patterns(found):
            return
        there = [path for path in paths if os.path.lexists(path)]
        for glob in self._globs.values():
            if any(map(glob.matches, there)):
                found.matched_patterns.add(glob.pattern)

    def in_config_order(self, triggers: Iterable[str]) -> tuple[str, ...]:
        """Bring triggers into the order of the configuration."""
        return tuple(sorted(set(triggers), key=self._order.__getitem__))

    def scan(self, near: Iterable[str] | None = None) -> ScanResult:
        """Walk all patterns, or only those for which something may lie at or below these paths."""
        result = ScanResult()
        globs = list(self._globs.values())
        if near is not None:
            near = list(near)
            globs = [glob for glob in globs if any(_related(str(glob.root), path) for path in near)]
        for glob in globs:
            root = str(glob.root)
            closed = result.unreadable_dirs[glob.pattern] = {}
            if not os.path.isdir(root):  # noqa: PTH112 - strings throughout, as the walk has them
                result.awaited_dirs.add(nearest_visible_dir(root))
                _note(closed, root)
            refused: list[OSError] = []
            for found in glob.walk(self._skipped, refused.append):
                if found.entered:
                    result.watch_dirs.add(found.path)
                if found.matched and (found.path == glob.pattern or not _is_directory(found)):
                    result.paths.add(found.path)
                    result.matched_patterns.add(glob.pattern)
            for error in refused:
                _note(closed, error.filename)
        return result

    def _skipped(self, path: str) -> bool:
        if path.endswith(COMPRESSED_SUFFIXES):
            return True
        return any(path == own or path.startswith(own + "/") for own in self._never)


def _is_directory(found: Found) -> bool:
    return found.entered or os.path.isdir(found.path)  # noqa: PTH112


def _related(root: str, path: str) -> bool:
    return root == path or root.startswith(path + "/") or path.startswith(root.rstrip("/") + "/")


def _note(closed: dict[str, str], directory: str) -> None:
    directory = directory.rstrip("/") or "/"
    if sentence := directory_problem(directory):
        closed[directory] = sentence
