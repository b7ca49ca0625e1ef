"""What may be read as a log: regular files that nobody else can swap for a secret of ours."""

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
    """A path that cannot be read as a log; the message says why and what to do."""


class DescriptorsExhaustedError(UnreadableFileError):
    """It cannot be opened as long as so many other files are open."""


def stat_log(path: str) -> os.stat_result | None:
    """Look at what a path leads to; None if there is nothing, ClosedGateError if it is no log."""
    try:
        status = os.stat(path)  # noqa: PTH116 - links are followed, errors are told apart
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UnreadableFileError(explain_error(path, error)) from None
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "no file")
        raise UnreadableFileError(
            f"{path} is {kind}, not a regular file: name the log files themselves in paths"
        )
    if os.geteuid() == 0 and not _placed_by_owner(path, status):
        raise UnreadableFileError(_laid_by_another(path))
    return status


def open_log(path: str, status: os.stat_result) -> int:
    """Open the file that was examined; ClosedGateError if it cannot be or is another by now."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    try:
        try:
            descriptor = os.open(path, flags | os.O_NOATIME)
        except PermissionError:  # O_NOATIME is for the file's owner only
            descriptor = os.open(path, flags)
    except OSError as error:
        scarce = error.errno in (errno.EMFILE, errno.ENFILE)
        refusal = DescriptorsExhaustedError if scarce else UnreadableFileError
        raise refusal(explain_error(path, error)) from None
    if not os.path.samestat(os.fstat(descriptor), status):
        os.close(descriptor)
        raise UnreadableFileError(f"{path} was replaced while it was opened; it is looked at again")
    try:
        rightful = os.geteuid() != 0 or is_trusted_path(path, status)
    except OSError as error:
        os.close(descriptor)
        raise UnreadableFileError(explain_error(path, error)) from None
    if not rightful:
        os.close(descriptor)
        raise UnreadableFileError(_laid_by_another(path))
    return descriptor


def _placed_by_owner(path: str, status: os.stat_result) -> bool:
    """Whether a link was made by root or by the owner of what it leads to."""
    trusted = (0, status.st_uid)
    try:
        link = os.lstat(path)
        folder = os.stat(os.path.dirname(path))  # noqa: PTH116, PTH120 - as above
    except OSError:
        return False
    if stat.S_ISLNK(link.st_mode):
        return link.st_uid in trusted
    return status.st_nlink == 1 or folder.st_uid in trusted


def _laid_by_another(path: str) -> str:
    """Say that a link is not followed, and the mend."""
    return (
        f"{path} is or lies behind a link that another user made to a file of somebody else: "
        "it is not read with root's rights, so name the file itself in paths"
    )


def _how_to_permit(path: str) -> str:
    """Say how a file becomes readable: by its group, where that may read it and is not root's."""
    user = effective_user()
    alone = f"run setfacl -m u:{user}:r {path} as root"
    try:
        status = os.stat(path)  # noqa: PTH116 - strings throughout
        group = grp.getgrgid(status.st_gid).gr_name
    except (OSError, KeyError):
        return alone
    if not status.st_gid or not status.st_mode & stat.S_IRGRP:
        return alone
    return f"run usermod -aG {group} {user} as root and start notifyd again, or {alone}"


def explain_error(path: str, error: OSError) -> str:
    """Say why a file cannot be read, and the mend."""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return f"{path} cannot be opened, too many files are open: raise LimitNOFILE (ulimit -n)"
    if isinstance(error, PermissionError):
        if folder := blocking_dir(path):
            return f"{path} cannot be read, permission denied on the way: {traversal_fix(folder)}"
        return f"{path} cannot be read, permission denied: {_how_to_permit(path)}"
    return f"{path} cannot be read: {error.strerror or error}"
