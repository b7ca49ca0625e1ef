"""The way along a path to a file, over links that nobody laid who has less right to the file."""

import errno
import os
import stat
from typing import Final

_HERE: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_LINKS: Final = 40
"""As many as the kernel follows."""
_GONE: Final = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


def is_trusted_path(path: str, status: os.stat_result) -> bool:
    """Whether a path leads to a file over trusted links alone, those of folders included.

    A link is trusted if it is root's, or belongs to the owner of the file or of what it leads to.
    Each step begins at the open folder before it, so nobody can swap one meanwhile.
    """
    rest = path.split("/")[::-1]
    links: list[tuple[int, int]] = []  # each one's owner, and how much is left behind its target
    followed = 0
    at = os.open("/", _HERE)
    try:
        while rest:
            part = rest.pop()
            if part not in ("", "."):
                step = os.open(part, _HERE, dir_fd=at)
                found = os.fstat(step)
                if stat.S_ISLNK(found.st_mode):
                    target = os.readlink("", dir_fd=step)
                    if target.startswith("/"):
                        target, step = target[1:], _exchanged(step, os.open("/", _HERE))
                    else:
                        step = _exchanged(step, os.dup(at))
                    links.append((found.st_uid, len(rest)))
                    rest += target.split("/")[::-1]
                    followed += 1
                at = _exchanged(at, step)
            while links and links[-1][1] == len(rest):
                owner, _ = links.pop()
                if owner not in (0, status.st_uid, os.fstat(at).st_uid):
                    return False
            if followed > _MOST_LINKS:
                return False
        return os.path.samestat(os.fstat(at), status)
    except OSError as error:
        if error.errno in _GONE:
            return False
        raise
    finally:
        os.close(at)


def _exchanged(old: int, new: int) -> int:
    os.close(old)
    return new
