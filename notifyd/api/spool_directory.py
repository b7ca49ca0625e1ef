"""A directory of the spool: which files in it may be read, and what happens to the others.

Other users may write to the system's spool, so nothing in it is trusted: names, types, sizes and
links are checked, and nothing is followed.
"""

import os
import re
import stat
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from notifyd.model.notifications import Peer
from notifyd.model.ownership import describe_untrusted
from notifyd.model.spool import LARGEST_FILE

MOST_OF_A_USER = 10_000
"""Files that one user may have waiting; those beyond are refused."""
TAKEN_OF_A_USER = 500
"""Files of one user that one scan returns, the oldest first."""
_TAKEN_BYTES = 8 << 20
"""Bytes that one scan returns."""
_ABANDONED_AFTER = 3600.0
"""Seconds after which a file that was never completed is removed."""

_NAME = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_TEMPORARY = re.compile(rf"\.{_NAME.pattern}\.tmp")
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_TYPES = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
)


class _RefusedFileError(Exception):
    """A file that is not read. Its text is the reason, after "it is"."""


@dataclass(frozen=True, slots=True)
class SpoolFile:
    """A file as it was read. peer: its owner, whose process is unknown."""

    id: str
    peer: Peer
    content: bytes


@dataclass(slots=True)
class SpoolScan:
    """What one scan found.

    files: the oldest of each user, in turn. refused: files that were removed unread, by owner and
    reason. foreign: names that are not the spool's. has_more: whether files are left for the next
    scan.
    """

    files: list[SpoolFile] = field(default_factory=list)
    refused: Counter[tuple[int, str]] = field(default_factory=Counter)
    foreign: int = 0
    has_more: bool = False


class SpoolDirectory:
    """path: the directory. is_shared: whether it is the system's, which every user may write to."""

    def __init__(self, path: Path, *, is_shared: bool = False) -> None:
        self.path, self.is_shared = path, is_shared

    def create(self) -> None:
        """Create the directory of one user; the system's comes with the service."""
        if not self.is_shared:
            with suppress(OSError):  # `problem` says what is wrong with it
                self.path.mkdir(mode=0o700, exist_ok=True)

    @property
    def problem(self) -> str:
        """Why it cannot be used, and the fix; empty if it can, or if it is nobody's or another's.

        The system's spool is imported by the user who owns it, because only that one can remove
        the files of others.
        """
        try:
            status = self.path.lstat()
        except OSError as error:
            fix = f"create it with mode 0700 for user {os.geteuid()}"
            reason = f"cannot use the spool {self.path}: {error.strerror}; {fix}"
            return "" if self.is_shared else reason
        if not stat.S_ISDIR(status.st_mode):
            return f"the spool {self.path} is no directory: remove it and restart notifyd"
        if self.is_shared:
            if status.st_uid == os.geteuid() and not status.st_mode & stat.S_ISVTX:
                return f"every user may remove files in {self.path}: run chmod 1733 {self.path}"
            return ""
        if status.st_uid != os.geteuid():
            fix = f"chown -R {os.geteuid()} {self.path}"
            return f"the spool {self.path} belongs to user {status.st_uid}; run {fix}"
        if untrusted := describe_untrusted(self.path, status):
            return f"the spool is not safe: {untrusted}"
        return ""

    @property
    def is_usable(self) -> bool:
        """Whether this process imports from it."""
        try:
            is_own = self.path.lstat().st_uid == os.geteuid()
        except OSError:
            return False
        return is_own and not self.problem

    def scan(self) -> SpoolScan:
        """Read the oldest files of each user. OSError if the directory cannot be read."""
        found = SpoolScan()
        directory = self._open()
        try:
            size = 0
            for name in _take_turns(self._names_by_owner(directory, found)):
                size += self._take(directory, name, found)
                if size > _TAKEN_BYTES:
                    found.has_more = True
                    break
        finally:
            os.close(directory)
        return found

    def remove(self, names: list[str]) -> list[str]:
        """Remove files; return the names that are gone."""
        directory = self._open()
        try:
            return [name for name in names if _unlink(directory, name)]
        finally:
            os.close(directory)

    def _open(self) -> int:
        return os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)

    def _names_by_owner(self, directory: int, found: SpoolScan) -> dict[int, list[str]]:
        """Return the oldest names of each owner; a name begins with the time of its file."""
        names: dict[int, list[str]] = defaultdict(list)
        counts: Counter[int] = Counter()
        with os.scandir(directory) as entries:
            for entry in entries:
                if not _NAME.fullmatch(entry.name):
                    found.foreign += not _is_temporary(directory, entry)
                    continue
                try:
                    owner = entry.stat(follow_symlinks=False).st_uid
                except OSError:  # it has just been removed
                    continue
                counts[owner] += 1
                if counts[owner] > MOST_OF_A_USER:
                    reason = f"one of more than {MOST_OF_A_USER} of that user"
                    self._refuse(directory, entry.name, owner, reason, found)
                    continue
                names[owner].append(entry.name)
                if len(names[owner]) > 2 * TAKEN_OF_A_USER:
                    names[owner] = sorted(names[owner])[:TAKEN_OF_A_USER]
                    found.has_more = True
        found.has_more |= any(len(own) > TAKEN_OF_A_USER for own in names.values())
        return {owner: sorted(own)[:TAKEN_OF_A_USER] for owner, own in names.items()}

    def _take(self, directory: int, name: str, found: SpoolScan) -> int:
        """Read or refuse a file; return its size. What fails for now is left for the next scan."""
        try:
            file = _read(directory, name)
        except _RefusedFileError as refusal:
            with suppress(OSError):
                owner = os.stat(name, dir_fd=directory, follow_symlinks=False).st_uid
                self._refuse(directory, name, owner, str(refusal), found)
        except OSError:
            pass
        else:
            found.files.append(file)
            return len(file.content)
        return 0

    def _refuse(self, directory: int, name: str, owner: int, reason: str, found: SpoolScan) -> None:
        _unlink(directory, name)
        found.refused[owner, reason] += 1


def is_spool_name(name: str) -> bool:
    """Return whether a name is that of a request, or of one that is being written."""
    return bool(_NAME.fullmatch(name) or _TEMPORARY.fullmatch(name))


def _take_turns(names: dict[int, list[str]]) -> Iterator[str]:
    """Iterate over the names of all owners, one of each in turn."""
    for turn in zip_longest(*names.values()):
        yield from (name for name in turn if name is not None)


def _is_temporary(directory: int, entry: os.DirEntry[str]) -> bool:
    """Return whether a file is being written. One that was abandoned is removed."""
    if not _TEMPORARY.fullmatch(entry.name):
        return False
    with suppress(OSError):
        if entry.stat(follow_symlinks=False).st_mtime < time.time() - _ABANDONED_AFTER:
            _unlink(directory, entry.name)
    return True


def _read(directory: int, name: str) -> SpoolFile:
    """Read a file; _RefusedFileError if it is none that may be read."""
    try:
        _check(os.stat(name, dir_fd=directory, follow_symlinks=False))
        file = os.open(name, _OPEN, dir_fd=directory)
    except PermissionError:
        raise _RefusedFileError("not readable for the daemon") from None
    try:
        status = os.fstat(file)
        _check(status)
        content = b""
        while chunk := os.read(file, LARGEST_FILE + 1 - len(content)):
            content += chunk
    finally:
        os.close(file)
    if len(content) > LARGEST_FILE:
        raise _RefusedFileError(_too_large())
    return SpoolFile(name, Peer(uid=status.st_uid, gid=status.st_gid, pid=-1), content)


def _check(status: os.stat_result) -> None:
    for is_of_type, described in _TYPES:
        if is_of_type(status.st_mode):
            raise _RefusedFileError(described)
    if not stat.S_ISREG(status.st_mode):
        raise _RefusedFileError("no regular file")
    if status.st_nlink != 1:
        raise _RefusedFileError("a file with several links")
    if status.st_size > LARGEST_FILE:
        raise _RefusedFileError(_too_large())


def _too_large() -> str:
    return f"larger than {LARGEST_FILE >> 10} KiB"


def _unlink(directory: int, name: str) -> bool:
    """Remove a name, or an empty directory; return whether it is gone."""
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return True
    except IsADirectoryError:
        with suppress(OSError):
            os.rmdir(name, dir_fd=directory)
            return True
        return False
    except OSError:
        return False
    return True
