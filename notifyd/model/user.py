"""Names of users and groups, as messages show them."""

import grp
import os
import pwd


def effective_user() -> str:
    """Return the name of the user that notifyd runs as."""
    return user_name(os.geteuid())


def user_name(uid: int) -> str:
    """Return the name of a user, or its number if it has no name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    """Return the name of a group, or its number if it has no name."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
