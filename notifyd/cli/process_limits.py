"""What the process of the daemon gives away: its memory, which holds the token, and its rights."""

import ctypes
import resource
from contextlib import suppress

# Source: linux/prctl.h.
_PR_SET_DUMPABLE = 4
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4


def forbid_memory_dumps() -> None:
    """Write no core file, and let no other process of this user read memory and environment."""
    with suppress(OSError):  # a filter of system calls may refuse it
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _prctl(_PR_SET_DUMPABLE, 0)


def drop_inheritable_rights() -> None:
    """Keep this process's capabilities from its children. Call it before threads start."""
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)


def _prctl(option: int, argument: int) -> None:
    """Call prctl(2). An older kernel may refuse; then nothing changes."""
    ctypes.CDLL(None).prctl(*map(ctypes.c_ulong, (option, argument, 0, 0, 0)))
