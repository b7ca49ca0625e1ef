"""What the `.gitignore` files of a directory tree leave out."""

import os
import stat
from contextlib import suppress

from pathspec import GitIgnoreSpec

IGNORE_FILE = ".gitignore"
_REPOSITORY = ".git"
_LARGEST_FILE = 64 << 10
"""Bytes that are read of a file."""
_MOST_RULES = 1000
"""Rules that are used of a file: compiling them takes about 2 ms each."""


class GitignoreRules:
    """The rules below a directory, as git applies them; each file is read once.

    root: files above it count up to the root of its repository. earlier: rules that need not be
    compiled again where they are unchanged. Not read: `.git/info/exclude` and the user's own
    excludes file. The directory `.git` itself is always left out.
    """

    def __init__(self, root: str, earlier: "GitignoreRules | None" = None) -> None:
        self._top = _repository_of(root) or root
        self._specs: dict[str, GitIgnoreSpec | None] = {}
        self.compiled: dict[bytes, GitIgnoreSpec] = {}
        """By the content of the file."""
        self._earlier = {} if earlier is None else earlier.compiled
        self._directories: dict[str, bool] = {}
        """Whether a directory is left out, with everything in it."""

    def is_ignored(self, path: str, *, is_directory: bool) -> bool:
        """Return whether a path below the root is left out, itself or a directory above it."""
        if is_directory:
            return self._is_directory_ignored(path)
        return self._is_directory_ignored(os.path.dirname(path)) or self._is_excluded(path)  # noqa: PTH120

    def _is_directory_ignored(self, path: str) -> bool:
        undecided = []
        while len(path) > len(self._top) and path not in self._directories:
            undecided.append(path)
            path = os.path.dirname(path)  # noqa: PTH120
        is_ignored = self._directories.get(path, False)
        for directory in reversed(undecided):
            is_ignored = (
                is_ignored
                or directory.endswith(f"/{_REPOSITORY}")
                or self._is_excluded(directory, "/")
            )
            self._directories[directory] = is_ignored
        return is_ignored

    def _is_excluded(self, path: str, end: str = "") -> bool:
        """Return whether the nearest file with a matching rule excludes a path.

        end: a slash for directories.
        """
        directory = path
        while len(directory) > len(self._top):
            directory = os.path.dirname(directory)  # noqa: PTH120 - strings throughout
            spec = self.spec_in(directory)
            if spec is not None:
                name = path[len(directory.rstrip("/")) + 1 :] + end
                included = spec.check_file(name).include
                if included is not None:
                    return included
        return False

    def spec_in(self, directory: str) -> GitIgnoreSpec | None:
        """Return the rules of the file in a directory; None without any."""
        if directory not in self._specs:
            content = _read(os.path.join(directory, IGNORE_FILE))  # noqa: PTH118
            self._specs[directory] = self._compile(content) if content.strip() else None
        return self._specs[directory]

    def _compile(self, content: bytes) -> GitIgnoreSpec:
        spec = self.compiled.get(content) or self._earlier.get(content) or _compile(content)
        self.compiled[content] = spec
        return spec


def _repository_of(directory: str) -> str:
    """Return the root of the repository that contains a directory; empty if there is none."""
    while directory != "/":
        if os.path.lexists(os.path.join(directory, _REPOSITORY)):  # noqa: PTH118
            return directory
        directory = os.path.dirname(directory)  # noqa: PTH120
    return ""


def _read(file: str) -> bytes:
    """Read a file of rules; empty without one. An unusable file is ignored."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    with suppress(OSError), os.fdopen(descriptor, "rb") as stream:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return stream.read(_LARGEST_FILE)
    return b""


def _compile(content: bytes) -> GitIgnoreSpec:
    """Compile the rules of a file. Unusable lines are ignored."""
    text = content.decode("utf-8", "surrogateescape")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    lines = lines[:_MOST_RULES]
    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError:  # one of the lines is no pattern
        return GitIgnoreSpec.from_lines(line for line in lines if _is_usable(line))


def _is_usable(line: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True
