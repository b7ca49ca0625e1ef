"""Why a directory cannot be listed, and how to fix it."""

import errno
import os

from notifyd.model.user import effective_user


def directory_problem(directory: str) -> str:
    """Return why a directory cannot be listed, and the fix.

    Empty if it can be listed, does not exist or is not a directory.
    """
    try:
        with os.scandir(directory):
            return ""
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            return (
                f"{directory} cannot be listed: too many open files; raise LimitNOFILE (ulimit -n)"
            )
        if not isinstance(error, PermissionError):
            return f"{directory} cannot be listed: {error.strerror or error}"
        if blocking := blocking_dir(directory):
            return f"{directory} cannot be listed: permission denied; {traversal_fix(blocking)}"
        return f"{directory} cannot be listed: permission denied; {_fix('rx', directory)}"


def nearest_visible_dir(directory: str) -> str:
    """Return the nearest of a directory and its parents that can be seen."""
    while not os.path.isdir(directory):  # noqa: PTH112 - strings throughout
        directory = os.path.dirname(directory)  # noqa: PTH120
    return directory


def blocking_dir(path: str) -> str:
    """Return the parent of a path that must not be entered; empty if all may be entered."""
    try:
        os.lstat(path)
    except PermissionError:
        return nearest_visible_dir(os.path.dirname(path))  # noqa: PTH120
    except OSError:
        return ""
    return ""


def traversal_fix(directory: str) -> str:
    """Return how to permit entering a directory."""
    return _fix("x", directory)


def _fix(rights: str, directory: str) -> str:
    return f"run setfacl -m u:{effective_user()}:{rights} {directory} as root"
