"""Names of users and groups, as messages show them."""

import grp
import os
import pwd
import stat


def effective_user() -> str:
    """Return the name of the user that notifyd runs as."""
    return user_name(os.geteuid())


def user_name(uid: int) -> str:
    """Return the name of a user, or its number if it has no name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def joinable_group(file: os.stat_result) -> str | None:
    """Return the group through which other users may get at a file, such as a socket.

    None where its mode gives the group nothing, and for a group that nobody should join: that of
    root, and the one that belongs to the owner alone.
    """
    group = group_name(file.st_gid)
    is_private = file.st_gid == 0 or group == user_name(file.st_uid)
    return None if is_private or not file.st_mode & stat.S_IWGRP else group


def group_name(gid: int) -> str:
    """Return the name of a group, or its number if it has no name."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
