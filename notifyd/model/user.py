"""Whom notifyd runs as, for sentences that say who lacks a right."""

import os
import pwd


def effective_user() -> str:
    """Name the effective user, by number where it has no name."""
    uid = os.geteuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
