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
    """Reads what is logged from now on. Without permission, nothing is ever logged."""

    def __init__(self, path: Path, proc: Path) -> None:
        self._descriptor = -1
        with suppress(OSError):
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.lseek(self._descriptor, 0, os.SEEK_END)
        namespace = ""
        with suppress(OSError):
            namespace = str((proc / "self/ns/pid").readlink())
        self.has_own_pids = self._descriptor >= 0 and namespace == _FIRST_PID_NAMESPACE
        """Whether the pids in the log are those that this process sees."""

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def take_killed(self) -> set[int]:
        """Return the pids that were killed since the last call."""
        killed: set[int] = set()
        if self._descriptor >= 0:
            for record in read_records(self._descriptor):
                killed.update(map(int, _KILLED.findall(record)))
        return killed if self.has_own_pids else set()


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
