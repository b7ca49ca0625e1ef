"""The last visible lines of a file, for the report of an exit."""

import os
import stat
from pathlib import Path

from notifyd.text.visible import visible_lines

_BLOCK = 64 << 10
"""Bytes that are read from the end of the file."""
_CLIP = 350
"""Characters of each line, so that several fit into a notification."""


def read_tail(path: Path, lines: int) -> str:
    """Return the last lines that are not blank; empty if the file cannot be read. Blocking."""
    if lines == 0:
        return ""
    try:
        data = _read_end(path)
    except OSError:
        return ""
    text = visible_lines(data).decode("utf-8", "replace")
    found = [line.rstrip() for line in text.split("\n") if not line.isspace() and line]
    return "\n".join(line if len(line) <= _CLIP else f"{line[:_CLIP]}…" for line in found[-lines:])


def _read_end(path: Path) -> bytes:
    """Return the end of a regular file, from the start of a line if it has one there."""
    # Whoever may write here could put a pipe or a device in the file's place.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return b""
        start = max(found.st_size - _BLOCK, 0)
        data = os.pread(descriptor, _BLOCK, start)
    finally:
        os.close(descriptor)
    if start == 0:
        return data
    first, _, rest = data.partition(b"\n")
    return rest or first
