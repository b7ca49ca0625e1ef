"""Opens logs: regular files, and as root only those that no other user can point elsewhere.

No user may be able to make notifyd, which may run as root, read a file that this user cannot.
"""

import errno
import grp
import os
import stat

from notifyd.model.errors import NotifydError
from notifyd.model.user import effective_user
from notifyd.sources.logs.discovery.symlink_trust import is_trusted_path
from notifyd.sources.unreadable_dirs import blocking_dir, traversal_fix

COMPRESSED_SUFFIXES = (
    *(".gz", ".xz", ".zst", ".bz2", ".lz4", ".lzma"),
    *(".lz", ".lzo", ".br", ".Z", ".zip", ".7z"),
)

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class UnreadableFileError(NotifydError):
    """A path cannot be read as a log; the message says why and how to fix it."""


class DescriptorsExhaustedError(UnreadableFileError):
    """A log cannot be opened because too many files are open."""


def stat_log(path: str) -> os.stat_result | None:
    """Return the status of a log; None if it does not exist. UnreadableFileError."""
    try:
        status = os.stat(path)  # noqa: PTH116 - strings throughout
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UnreadableFileError(explain_error(path, error)) from None
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "a special file")
        raise UnreadableFileError(
            f"{path} is {kind}, not a regular file; name the log files themselves in paths"
        )
    if os.geteuid() == 0 and not _is_trusted_entry(path, status):
        raise UnreadableFileError(_untrusted_link(path))
    return status


def open_log(path: str, status: os.stat_result) -> int:
    """Open a log and return its descriptor. UnreadableFileError.

    status: what `stat_log` returned. A path that leads to another file by now is refused.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    try:
        try:
            descriptor = os.open(path, flags | os.O_NOATIME)
        except PermissionError:  # O_NOATIME is for the file's owner only
            descriptor = os.open(path, flags)
    except OSError as error:
        is_exhausted = error.errno in (errno.EMFILE, errno.ENFILE)
        error_type = DescriptorsExhaustedError if is_exhausted else UnreadableFileError
        raise error_type(explain_error(path, error)) from None
    if not os.path.samestat(os.fstat(descriptor), status):
        os.close(descriptor)
        raise UnreadableFileError(f"{path} was replaced while it was being opened; retrying")
    try:
        is_trusted = os.geteuid() != 0 or is_trusted_path(path, status)
    except OSError as error:
        os.close(descriptor)
        raise UnreadableFileError(explain_error(path, error)) from None
    if not is_trusted:
        os.close(descriptor)
        raise UnreadableFileError(_untrusted_link(path))
    return descriptor


def _is_trusted_entry(path: str, status: os.stat_result) -> bool:
    """Whether root or the owner of a file made the directory entry that leads to it."""
    trusted = (0, status.st_uid)
    try:
        entry = os.lstat(path)
        directory = os.stat(os.path.dirname(path))  # noqa: PTH116, PTH120 - strings throughout
    except OSError:
        return False
    if stat.S_ISLNK(entry.st_mode):
        return entry.st_uid in trusted
    return status.st_nlink == 1 or directory.st_uid in trusted


def _untrusted_link(path: str) -> str:
    return (
        f"{path} is not read as root: it is, or leads through, a link that another user made to a "
        "file that is not theirs; name the file itself in paths"
    )


def _read_fix(path: str) -> str:
    """Return how to permit reading a file: by its group, if that may read it and is not root's."""
    user = effective_user()
    acl = f"run setfacl -m u:{user}:r {path} as root"
    try:
        status = os.stat(path)  # noqa: PTH116 - strings throughout
        group = grp.getgrgid(status.st_gid).gr_name
    except (OSError, KeyError):
        return acl
    if not status.st_gid or not status.st_mode & stat.S_IRGRP:
        return acl
    return f"run usermod -aG {group} {user} as root and restart notifyd, or {acl}"


def explain_error(path: str, error: OSError) -> str:
    """Return why a file cannot be read, and the fix."""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return f"{path} cannot be opened: too many open files; raise LimitNOFILE (ulimit -n)"
    if isinstance(error, PermissionError):
        directory = blocking_dir(path)
        fix = traversal_fix(directory) if directory else _read_fix(path)
        return f"{path} cannot be read: permission denied; {fix}"
    return f"{path} cannot be read: {error.strerror or error}"
