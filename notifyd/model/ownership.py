"""Whether others may change a file or directory on which the daemon relies."""

import os
import stat

from notifyd.model.user import group_name, user_name


def describe_untrusted(path: object, status: os.stat_result) -> str:
    """Return what lets other users change it, and the fix; empty if only this user and root may.

    path: shown in the text. Another group than this process's own counts as other users.
    """
    if status.st_uid not in (0, os.geteuid()):
        owner = user_name(status.st_uid)
        return f"{path} belongs to user {owner}; run chown {os.geteuid()} {path}"
    if status.st_mode & stat.S_IWOTH:
        return f"every user may change {path}; run chmod o-w {path}"
    if status.st_mode & stat.S_IWGRP and status.st_gid not in (0, os.getegid()):
        return f"group {group_name(status.st_gid)} may change {path}; run chmod g-w {path}"
    return ""


def is_untrusted_refused() -> bool:
    """Return whether this user refuses what others may change. Root does: it would act for them."""
    return os.geteuid() == 0
