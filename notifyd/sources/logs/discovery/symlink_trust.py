"""Checks that no untrusted user made a symbolic link on the way to a file."""

import errno
import os
import stat
from typing import Final

_OPEN_PATH: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_LINKS: Final = 40
"""As many as the kernel follows."""
_NOT_FOUND: Final = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


def is_trusted_path(path: str, status: os.stat_result) -> bool:
    """Whether a path leads to a file only through trusted links, also to directories.

    A link is trusted if its owner is root, the owner of the file or the owner of its target. Each
    step starts from the open directory before it, so none can be replaced meanwhile. OSError.
    """
    rest = path.split("/")[::-1]
    links: list[tuple[int, int]] = []  # the owner of each, and the length of `rest` at its target
    followed = 0
    at = os.open("/", _OPEN_PATH)
    try:
        while rest:
            part = rest.pop()
            if part not in ("", "."):
                step = os.open(part, _OPEN_PATH, dir_fd=at)
                found = os.fstat(step)
                if stat.S_ISLNK(found.st_mode):
                    target = os.readlink("", dir_fd=step)
                    if target.startswith("/"):
                        target, step = target[1:], _close_and_return(step, os.open("/", _OPEN_PATH))
                    else:
                        step = _close_and_return(step, os.dup(at))
                    links.append((found.st_uid, len(rest)))
                    rest += target.split("/")[::-1]
                    followed += 1
                at = _close_and_return(at, step)
            while links and links[-1][1] == len(rest):
                owner, _ = links.pop()
                if owner not in (0, status.st_uid, os.fstat(at).st_uid):
                    return False
            if followed > _MOST_LINKS:
                return False
        return os.path.samestat(os.fstat(at), status)
    except OSError as error:
        if error.errno in _NOT_FOUND:
            return False
        raise
    finally:
        os.close(at)


def _close_and_return(old: int, new: int) -> int:
    os.close(old)
    return new
