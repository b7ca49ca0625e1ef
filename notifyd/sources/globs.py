"""Path patterns: `*`, `?` and `[…]` within one component, `**` across any number of them."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from wcmatch import fnmatch

_MAGIC = frozenset("*?[\\")
_FLAGS = fnmatch.DOTMATCH | fnmatch.CASE
_ACROSS = "**"


class Found(NamedTuple):
    """One thing met on a walk. entered: it is a directory and what lies in it comes too."""

    path: str
    matched: bool
    entered: bool


class Glob:
    """An absolute pattern. Hidden files match like any other; braces have no meaning.

    A component that is written exactly like a name matches it, so a path that exists with
    brackets or stars in it can be given as it is. Symbolic links to directories are entered where
    one component names them, never by `**`, so that no loop can be walked. ValueError for a
    relative pattern.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = "/" + os.path.normpath(pattern).lstrip("/")
        if not pattern.startswith("/") or self.pattern == "/":
            raise ValueError("must be an absolute path that names something")
        parts = [part for part in self.pattern.split("/") if part]
        literal = 0
        while literal < len(parts) - 1 and not _MAGIC.intersection(parts[literal]):
            literal += 1
        self.root = Path("/", *parts[:literal])
        """The directory below which everything that matches lies."""
        self._parts = [
            part
            for index, part in enumerate(parts[literal:])
            if part != _ACROSS or index == 0 or parts[literal + index - 1] != _ACROSS
        ]
        self._tests = [_component(part) for part in self._parts]
        self._prefix = str(self.root).rstrip("/") + "/"
        self._start = self._reached({0})

    def __repr__(self) -> str:
        return f"Glob({self.pattern!r})"

    def matches(self, path: str) -> bool:
        """Say whether the pattern fits, without a look at the file system."""
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
        skip: Callable[[str], bool] | None = None,
        onerror: Callable[[OSError], None] | None = None,
    ) -> Iterator[Found]:
        """Give every match and every directory on the way, the root itself first.

        skip: leaves out a path and all that lies in it. onerror: hears of what cannot be listed.
        """
        root = str(self.root)
        if not os.path.isdir(root):  # noqa: PTH112 - a walk over 100,000 paths stays with strings
            return
        yield Found(root, matched=False, entered=True)
        waiting = [(self._prefix, self._start)]
        while waiting:
            prefix, states = waiting.pop()
            try:
                with os.scandir(prefix) as entries:
                    for entry in entries:
                        path = prefix + entry.name
                        if skip is not None and skip(path):
                            continue
                        below, matched = self._step(states, entry.name, entry)
                        if below:
                            waiting.append((path + "/", below))
                        if matched or below:
                            yield Found(path, matched, entered=bool(below))
            except OSError as error:
                if onerror is not None:
                    onerror(error)

    def _step(
        self, states: frozenset[int], name: str, entry: os.DirEntry[str] | None = None
    ) -> tuple[frozenset[int], bool]:
        """Go from the parts awaited in a directory to those awaited below `name`.

        Also says whether `name` itself completes the pattern. With an entry, nothing is awaited
        below what is no directory.
        """
        below, matched, last = set(), False, len(self._parts) - 1
        for state in states:
            across = self._parts[state] == _ACROSS
            if not across and not self._tests[state](name):
                continue
            if state == last:
                matched = True
            if across and (entry is None or not entry.is_symlink()):
                below.add(state)
            elif not across and state < last:
                below.add(state + 1)
        if not below or (entry is not None and not _is_directory(entry)):
            return frozenset(), matched
        return self._reached(below), matched

    def _reached(self, states: set[int]) -> frozenset[int]:
        """Add what is awaited where `**` stands for no component at all."""
        beyond = {
            state + 1
            for state in states
            if self._parts[state] == _ACROSS and state + 1 < len(self._parts)
        }
        return frozenset(states | beyond)


def name_test(pattern: str) -> Callable[[str], bool]:
    """Make a test of a file's own name, whatever folder it lies in, for a pattern without `/`."""
    return _component(pattern)


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads round in a circle
        return False


def _component(part: str) -> Callable[[str], bool]:
    if not part.strip("*"):
        return lambda _name: True
    if not _MAGIC.intersection(part):
        return part.__eq__
    include, _ = fnmatch.translate(part, flags=_FLAGS)
    fits = re.compile("|".join(include)).fullmatch
    return lambda name: name == part or fits(name) is not None
