"""Whether somebody has a file open for writing."""

import fcntl
import os
import signal
import stat
from contextlib import suppress


def is_open_for_writing(path: str) -> bool:
    """Return whether a regular file is open for writing, as far as the kernel says so. Blocking.

    The kernel grants a read lease only on a file that nobody may write to: fcntl(2). It says
    nothing about the files of other users, unless this process has CAP_LEASE, and about file
    systems without leases; these count as not open.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return False
        descriptor = os.open(path, flags)
    except OSError:
        return False
    try:
        # A writer that comes in between sends the signal, whose default would end this process.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    else:
        with suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return False
    finally:
        os.close(descriptor)
