"""Requests for a daemon that does not answer: files that it imports when it runs.

Every file is written under another name, synced and renamed, so the daemon never sees a part of
one. Commands and hooks wait for these imports, so there are few.
"""

import errno
import json
import os
from contextlib import suppress
from time import time

from notifyd.model.errors import DaemonAnswerError, DaemonUnreachableError, NotifydError
from notifyd.model.spool import (
    FOLDER,
    FORMAT,
    LARGEST_FILE,
    LIFETIME,
    SYSTEM_SPOOL,
    temporary_name,
)

_DATABASE = "notifyd.db"
_UNAVAILABLE = 503
_STICKY = 0o1000
_PRIVATE, _READABLE = 0o600, 0o644
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class SpoolError(NotifydError):
    """A request cannot be spooled."""


def spool_instead(
    error: DaemonAnswerError | DaemonUnreachableError,
    kind: str,
    request: dict[str, object],
    *,
    socket_path: str | None = None,
) -> str:
    """Spool a request that no daemon has taken, as `spool_request` does.

    error: why not. It is raised unless no daemon answers or the daemon cannot store anything.
    DaemonUnreachableError: the request cannot be spooled either.
    """
    if isinstance(error, DaemonAnswerError) and error.status != _UNAVAILABLE:
        raise error
    try:
        return spool_request(kind, request, socket_path=socket_path)
    except SpoolError as failure:
        raise DaemonUnreachableError(f"{error}; {failure}") from None


def spool_request(kind: str, request: dict[str, object], *, socket_path: str | None = None) -> str:
    """Store a request in a file, and return its id once it is on disk.

    kind: "send", "ping", or "agent" with the event of a coding agent in `event`. request: the
    fields that the daemon's API takes. socket_path: the socket that was named. SpoolError if there
    is no room or no permission.
    """
    now = time()
    spooled_id = new_id(now)
    entry = {
        "format": FORMAT,
        "kind": kind,
        "time": now,
        "expires": now + LIFETIME,
        "request": request,
    }
    content = json.dumps(entry, ensure_ascii=False).encode("utf-8", "replace")
    if len(content) > LARGEST_FILE:
        raise SpoolError(f"cannot spool more than {LARGEST_FILE >> 10} KiB: shorten the data")
    folder = spool_directory(socket_path)
    try:
        os.makedirs(folder, 0o700, exist_ok=True)  # noqa: PTH103 - pathlib takes too long
        directory = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _write(directory, spooled_id, content)
        finally:
            os.close(directory)
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        fix = "free some space there" if is_full else "let this user write there"
        raise SpoolError(f"cannot spool in {folder}: {error.strerror}; {fix}") from None
    return spooled_id


def new_id(now: float) -> str:
    """Return a UUIDv7. Source: RFC 9562, section 5.7. Importing uuid takes too long."""
    value = int(now * 1000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) & ~(3 << 62) | 7 << 76 | 2 << 62
    text = f"{value:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def spool_directory(socket_path: str | None = None) -> str:
    """Return the directory that the daemon imports from.

    That beside a socket that was named, if there is one; else that of the user's own daemon, if
    one has run here; else that of the system's, if there is one; else the user's own.
    """
    if named := socket_path or os.environ.get("NOTIFYD_SOCK"):
        beside = f"{os.path.dirname(named) or '.'}/{FOLDER}"  # noqa: PTH120 - as above
        if _is_trusted(beside):
            return beside
    state_home = os.environ.get("XDG_STATE_HOME", "")
    if not state_home.startswith("/"):
        state_home = os.path.expanduser("~/.local/state")  # noqa: PTH111 - as above
    state = f"{state_home}/notifyd"
    has_daemon = os.path.exists(f"{state}/{_DATABASE}")  # noqa: PTH110 - as above
    if not has_daemon and os.path.isdir(SYSTEM_SPOOL):  # noqa: PTH112 - as above
        return SYSTEM_SPOOL
    return f"{state}/{FOLDER}"


def _is_trusted(folder: str) -> bool:
    """Return whether a directory exists and belongs to this user or root."""
    try:
        return os.path.isdir(folder) and os.stat(folder).st_uid in (0, os.geteuid())  # noqa: PTH112, PTH116
    except OSError:
        return False


def _write(directory: int, spooled_id: str, content: bytes) -> None:
    """Write a file into the directory that this descriptor stands for."""
    # In a directory of all users nobody can list the names, and the daemon has to read the file.
    shared = os.fstat(directory).st_mode & _STICKY
    temporary = temporary_name(spooled_id)
    file = os.open(temporary, _CREATE, _PRIVATE, dir_fd=directory)
    try:
        try:
            if shared:
                os.fchmod(file, _READABLE)
            left = memoryview(content)
            while left:
                left = left[os.write(file, left) :]
            os.fsync(file)
        finally:
            os.close(file)
        os.rename(temporary, spooled_id, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=directory)
        raise
    _sync(directory)


def _sync(directory: int) -> None:
    """Sync the directory, which only those may open who can list it."""
    with suppress(OSError):
        listed = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
        try:
            os.fsync(listed)
        finally:
            os.close(listed)
