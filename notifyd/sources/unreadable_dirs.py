"""Folders that may not be looked into: which one is to blame, and the mend."""

import errno
import os

from notifyd.model.user import effective_user


def directory_problem(directory: str) -> str:
    """Say why a directory cannot be looked into, and the mend; empty if it can be, or is gone."""
    try:
        with os.scandir(directory):
            return ""
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            return (
                f"{directory} cannot be listed, too many files are open: "
                "raise LimitNOFILE (ulimit -n)"
            )
        if not isinstance(error, PermissionError):
            return f"{directory} cannot be listed: {error.strerror or error}"
        if folder := blocking_dir(directory):
            return f"{directory} cannot be looked into, permission denied: {traversal_fix(folder)}"
        user = effective_user()
        return (
            f"{directory} cannot be listed, permission denied: give the user {user} r-x on "
            f"it, as with setfacl -m u:{user}:rx {directory}"
        )


def nearest_visible_dir(directory: str) -> str:
    """Find the lowest directory on the way that can be seen."""
    while not os.path.isdir(directory):  # noqa: PTH112 - strings throughout
        directory = os.path.dirname(directory)  # noqa: PTH120
    return directory


def blocking_dir(path: str) -> str:
    """Name the directory on the way to a path that may not be entered; empty if all may."""
    try:
        os.lstat(path)
    except PermissionError:
        return nearest_visible_dir(os.path.dirname(path))  # noqa: PTH120
    except OSError:
        return ""
    return ""


def traversal_fix(folder: str) -> str:
    """Say how a directory becomes one that may be entered."""
    user = effective_user()
    return f"give the user {user} x on {folder}, as with setfacl -m u:{user}:x {folder}"
