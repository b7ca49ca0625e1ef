"""When files were created, which os.stat does not say on Linux."""

import ctypes
import os
import struct
from functools import cache
from typing import Final

_AT_FDCWD: Final = -100
_STATX_BTIME: Final = 0x800
_NS: Final = 1_000_000_000


def birth_ns(path: str) -> int | None:
    """Return when a file was created, in nanoseconds; None if that is unknown. See statx(2)."""
    statx = _find_statx()
    if statx is None:
        return None
    found = ctypes.create_string_buffer(256)
    if statx(_AT_FDCWD, os.fsencode(path), 0, _STATX_BTIME, found) != 0:
        return None
    mask, seconds, nanoseconds = struct.unpack_from("=I76xqI", found)
    return seconds * _NS + nanoseconds if mask & _STATX_BTIME else None


@cache
def _find_statx() -> "ctypes._NamedFuncPointer | None":
    return getattr(ctypes.CDLL(None), "statx", None)
