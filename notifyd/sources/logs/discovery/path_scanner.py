"""Which paths the log triggers name, which of them exist, and which directories tell of more."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from notifyd.sources.globs import Found, Glob
from notifyd.sources.logs.discovery.access import COMPRESSED
from notifyd.sources.unreadable_dirs import lowest_seen, why_closed


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a walk met. directories: to be watched. awaited: where missing ones will appear.

    met: patterns by which something was found. closed: by pattern the directories that could not
    be looked into, each with a sentence on it.
    """

    paths: set[str] = field(default_factory=set)
    directories: set[str] = field(default_factory=set)
    awaited: set[str] = field(default_factory=set)
    met: set[str] = field(default_factory=set)
    closed: dict[str, dict[str, str]] = field(default_factory=dict)

    def joined(self, later: "ScanResult") -> "ScanResult":
        """Add what a later walk over some of the patterns met, which knows better of these."""
        return ScanResult(
            self.paths | later.paths,
            self.directories | later.directories,
            self.awaited | later.awaited,
            self.met | later.met,
            self.closed | later.closed,
        )

    @property
    def problems(self) -> set[str]:
        return {sentence for closed in self.closed.values() for sentence in closed.values()}

    def reopened(self) -> set[str]:
        """Look at the closed directories again; list those that are open, or closed otherwise."""
        closed = {path: said for each in self.closed.values() for path, said in each.items()}
        return {path for path, said in closed.items() if why_closed(path) != said}


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

    def patterns(self, path: str) -> list[tuple[str, str]]:
        """List the triggers and their patterns that name this path."""
        if self._skipped(path):
            return []
        return [
            (trigger, pattern)
            for pattern, glob in self._globs.items()
            if glob.matches(path)
            for trigger in self._triggers[pattern]
        ]

    def is_passed_over(self, path: str) -> bool:
        """Say whether this is a directory that only globs name: `logs/*` does not mean it."""
        return path not in self._globs and os.path.isdir(path)  # noqa: PTH112

    def unmet(self, found: ScanResult) -> list[str]:
        """List the patterns that name nothing yet, as far as that can be seen."""
        patterns = (glob.pattern for glob in self._globs.values())
        return [name for name in patterns if name not in found.met and not found.closed.get(name)]

    def meet(self, found: ScanResult, paths: Iterable[str]) -> None:
        """Take note of these paths, for the patterns that name nothing yet."""
        if not self.unmet(found):
            return
        there = [path for path in paths if os.path.lexists(path)]
        for glob in self._globs.values():
            if any(map(glob.matches, there)):
                found.met.add(glob.pattern)

    def ordered(self, triggers: Iterable[str]) -> tuple[str, ...]:
        """Bring triggers into the order of the configuration."""
        return tuple(sorted(set(triggers), key=self._order.__getitem__))

    def survey(self, near: Iterable[str] | None = None) -> ScanResult:
        """Walk all patterns, or only those for which something may lie at or below these paths."""
        result = ScanResult()
        globs = list(self._globs.values())
        if near is not None:
            near = list(near)
            globs = [glob for glob in globs if any(_related(str(glob.root), path) for path in near)]
        for glob in globs:
            root = str(glob.root)
            closed = result.closed[glob.pattern] = {}
            if not os.path.isdir(root):  # noqa: PTH112 - strings throughout, as the walk has them
                result.awaited.add(lowest_seen(root))
                _note(closed, root)
            refused: list[OSError] = []
            for found in glob.walk(self._skipped, refused.append):
                if found.entered:
                    result.directories.add(found.path)
                if found.matched and (found.path == glob.pattern or not _is_directory(found)):
                    result.paths.add(found.path)
                    result.met.add(glob.pattern)
            for error in refused:
                _note(closed, error.filename)
        return result

    def _skipped(self, path: str) -> bool:
        if path.endswith(COMPRESSED):
            return True
        return any(path == own or path.startswith(own + "/") for own in self._never)


def _is_directory(found: Found) -> bool:
    return found.entered or os.path.isdir(found.path)  # noqa: PTH112


def _related(root: str, path: str) -> bool:
    return root == path or root.startswith(path + "/") or path.startswith(root.rstrip("/") + "/")


def _note(closed: dict[str, str], directory: str) -> None:
    directory = directory.rstrip("/") or "/"
    if sentence := why_closed(directory):
        closed[directory] = sentence
