"""Path patterns: `*`, `?` and `[…]` within one component, `**` across any number of them."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

_MAGIC = frozenset("*?[\\")
_ACROSS = "**"


class GlobEntry(NamedTuple):
    """One path of a walk. is_entered: it is a directory, and the walk continues inside it."""

    path: str
    is_match: bool
    is_entered: bool


class Glob:
    """An absolute path pattern. Hidden files match like any other; braces have no meaning.

    A component also matches a name that is spelled exactly like it, so a path that contains
    brackets or stars can be given as it is. `**` does not enter symbolic links to directories, so
    that a walk ends; other components do. ValueError if the pattern is relative or `/`.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = "/" + os.path.normpath(pattern).lstrip("/")
        if not pattern.startswith("/") or self.pattern == "/":
            raise ValueError("must be an absolute path below /")
        parts = [part for part in self.pattern.split("/") if part]
        literal = 0
        while literal < len(parts) - 1 and not _MAGIC.intersection(parts[literal]):
            literal += 1
        self.root = Path("/", *parts[:literal])
        """The directory that contains every match."""
        self.is_literal = not _MAGIC.intersection(self.pattern)
        """Whether it names one path."""
        self._parts = [
            part
            for index, part in enumerate(parts[literal:])
            if part != _ACROSS or index == 0 or parts[literal + index - 1] != _ACROSS
        ]
        self._matchers = [name_matcher(part) for part in self._parts]
        self._prefix = str(self.root).rstrip("/") + "/"
        self._start = self._with_empty_across({0})

    def __repr__(self) -> str:
        return f"Glob({self.pattern!r})"

    def matches(self, path: str) -> bool:
        """Whether a path matches, without access to the file system."""
        if not path.startswith(self._prefix):
            return False
        states, matched = self._start, False
        for name in path[len(self._prefix) :].split("/"):
            states, matched = self._step(states, name)
            if not states and not matched:
                return False
        return matched

    def walk(
        self,
        skip: Callable[[os.DirEntry[str]], bool] | None = None,
        onerror: Callable[[OSError], None] | None = None,
    ) -> Iterator[GlobEntry]:
        """Iterate over the matches and the directories on the way to them, the root first.

        skip: whether to leave out an entry and everything in it. onerror: called for a directory
        that cannot be listed.
        """
        root = str(self.root)
        if not os.path.isdir(root):  # noqa: PTH112 - strings are faster for 100,000 paths
            return
        yield GlobEntry(root, is_match=False, is_entered=True)
        waiting = [(self._prefix, self._start)]
        while waiting:
            prefix, states = waiting.pop()
            try:
                with os.scandir(prefix) as entries:
                    for entry in entries:
                        path = prefix + entry.name
                        if skip is not None and skip(entry):
                            continue
                        below, matched = self._step(states, entry.name, entry)
                        if below:
                            waiting.append((path + "/", below))
                        if matched or below:
                            yield GlobEntry(path, matched, is_entered=bool(below))
            except OSError as error:
                if onerror is not None:
                    onerror(error)

    def _step(
        self, states: frozenset[int], name: str, entry: os.DirEntry[str] | None = None
    ) -> tuple[frozenset[int], bool]:
        """Return which parts of the pattern may match inside `name`, and whether it is a match.

        states: the parts that may match `name`. With an entry, none may match inside a path that
        is not a directory.
        """
        below, matched, last = set(), False, len(self._parts) - 1
        for state in states:
            across = self._parts[state] == _ACROSS
            if not across and not self._matchers[state](name):
                continue
            if state == last:
                matched = True
            if across and (entry is None or not entry.is_symlink()):
                below.add(state)
            elif not across and state < last:
                below.add(state + 1)
        if not below or (entry is not None and not _is_directory(entry)):
            return frozenset(), matched
        return self._with_empty_across(below), matched

    def _with_empty_across(self, states: set[int]) -> frozenset[int]:
        """Add the parts after `**`, which also matches no component."""
        beyond = {
            state + 1
            for state in states
            if self._parts[state] == _ACROSS and state + 1 < len(self._parts)
        }
        return frozenset(states | beyond)


def name_matcher(pattern: str) -> Callable[[str], bool]:
    """Return a function that matches a file's own name, for a pattern without `/`."""
    if not pattern.strip("*"):
        return lambda _name: True
    if not _MAGIC.intersection(pattern):
        return pattern.__eq__
    from wcmatch import fnmatch

    include, _ = fnmatch.translate(pattern, flags=fnmatch.DOTMATCH | fnmatch.CASE)
    match = re.compile("|".join(include)).fullmatch
    return lambda name: name == pattern or match(name) is not None


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a loop
        return False
