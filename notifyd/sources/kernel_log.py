"""The kernel's log, and the processes that it names as killed for want of memory."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_KILLED: Final = re.compile(rb"Killed process (\d+) \(")
_RECORD: Final = 8192
_MOST_RECORDS: Final = 20_000
"""Records that are read at once."""
_FIRST_PID_NAMESPACE: Final = "pid:[4026531836]"


class KernelLog:
    """Reads what is logged from `open` on.

    Nothing is ever logged where it cannot be read, or where its pids are not those of this process.
    """

    def __init__(self, path: Path, proc: Path) -> None:
        self._path, self._proc = path, proc
        self._descriptor: int | None = None

    def open(self) -> None:
        """Begin to read, unless that was tried before."""
        if self._descriptor is not None:
            return
        self._descriptor = -1
        with suppress(OSError):
            if str((self._proc / "self/ns/pid").readlink()) == _FIRST_PID_NAMESPACE:
                self._descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
                os.lseek(self._descriptor, 0, os.SEEK_END)

    @property
    def is_open(self) -> bool:
        return self._descriptor is not None and self._descriptor >= 0

    def close(self) -> None:
        if self._descriptor is not None and self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = None

    def take_killed(self) -> set[int]:
        """Return the pids that were killed since the last call."""
        if self._descriptor is None or self._descriptor < 0:
            return set()
        records = read_records(self._descriptor)
        return {int(pid) for record in records for pid in _KILLED.findall(record)}


def read_records(descriptor: int) -> Iterator[bytes]:
    """Yield the records that were not read yet, oldest first: each read returns one."""
    for _ in range(_MOST_RECORDS):
        try:
            record = os.read(descriptor, _RECORD)
        except BrokenPipeError:  # records were overwritten: the next one is the oldest
            continue
        except OSError:  # the end
            return
        if not record:
            return
        yield record
