"""What the `.gitignore` files of a directory tree leave out."""

import os
import stat
from contextlib import suppress

from pathspec import GitIgnoreSpec

IGNORE_FILE = ".gitignore"
_REPOSITORY = ".git"
_LARGEST_FILE = 1 << 20


class GitignoreRules:
    """The rules below a directory, as git applies them; each file is read once.

    root: files above it count up to the root of its repository. Not read: `.git/info/exclude` and
    the user's own excludes file. The directory `.git` itself is always left out.
    """

    def __init__(self, root: str) -> None:
        self._top = _repository_of(root) or root
        self._specs: dict[str, GitIgnoreSpec | None] = {}
        self._directories: dict[str, bool] = {}
        """Whether a directory is left out, with everything in it."""

    def is_ignored(self, path: str, *, is_directory: bool) -> bool:
        """Return whether a path below the root is left out, itself or a directory above it."""
        if is_directory:
            return self._is_directory_ignored(path)
        return self._is_directory_ignored(os.path.dirname(path)) or self._is_excluded(path)  # noqa: PTH120

    def _is_directory_ignored(self, path: str) -> bool:
        if len(path) <= len(self._top):
            return False
        known = self._directories.get(path)
        if known is None:
            known = (
                path.endswith(f"/{_REPOSITORY}")
                or self._is_directory_ignored(os.path.dirname(path))  # noqa: PTH120
                or self._is_excluded(path, "/")
            )
            self._directories[path] = known
        return known

    def _is_excluded(self, path: str, end: str = "") -> bool:
        """Return what the nearest file says that says anything. end: a slash for directories."""
        directory = path
        while len(directory) > len(self._top):
            directory = os.path.dirname(directory)  # noqa: PTH120 - strings throughout
            spec = self._spec_in(directory)
            if spec is not None:
                name = path[len(directory.rstrip("/")) + 1 :] + end
                included = spec.check_file(name).include
                if included is not None:
                    return included
        return False

    def _spec_in(self, directory: str) -> GitIgnoreSpec | None:
        if directory not in self._specs:
            self._specs[directory] = _read_spec(os.path.join(directory, IGNORE_FILE))  # noqa: PTH118
        return self._specs[directory]


def _repository_of(directory: str) -> str:
    """Return the root of the repository that contains a directory; empty if there is none."""
    while directory != "/":
        if os.path.lexists(os.path.join(directory, _REPOSITORY)):  # noqa: PTH118
            return directory
        directory = os.path.dirname(directory)  # noqa: PTH120
    return ""


def _read_spec(file: str) -> GitIgnoreSpec | None:
    """Read a file of rules; None without one. A file or line that cannot be used says nothing."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with suppress(OSError), os.fdopen(descriptor, "rb") as stream:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            text = stream.read(_LARGEST_FILE).decode("utf-8", "surrogateescape")
            return _compile(text.splitlines())
    return None


def _compile(lines: list[str]) -> GitIgnoreSpec | None:
    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError:  # one of the lines is no pattern
        usable = [line for line in lines if _is_usable(line)]
        return GitIgnoreSpec.from_lines(usable)


def _is_usable(line: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True
