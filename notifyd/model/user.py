"""The user that notifyd runs as."""

import os
import pwd


def effective_user() -> str:
    """Return the name of the effective user, or its number if it has no name."""
    uid = os.geteuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
