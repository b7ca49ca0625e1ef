"""Processes as /proc shows them, see proc(5).

What cannot be read at the moment, for lack of descriptors or memory, is an OSError: a process that
is not seen has not ended.
"""

import errno
import os
import time
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Error numbers of what cannot be read at the moment."""
_FORKNOEXEC = 0x40
"""PF_FORKNOEXEC: forked, but not execed yet."""
_STATE, _PARENT, _GROUP, _FLAGS, _START, _EXIT = 0, 1, 2, 6, 19, 49
"""Indexes of fields after the command's closing parenthesis."""


class ProcessStat(NamedTuple):
    """start: clock ticks after boot. is_copy: it still runs its parent's program.

    parent: its pid. group: the process group.
    """

    command: str
    is_zombie: bool
    is_copy: bool
    start: int
    parent: int = 0
    group: int = 0

    @property
    def started(self) -> float:
        """Seconds after boot at which the process started."""
        return ticks_to_seconds(self.start)


class Process(NamedTuple):
    """A process. Its pid and start identify it until the next boot."""

    pid: int
    stat: ProcessStat
    executable: str
    arguments: tuple[str, ...]

    @property
    def command_line(self) -> str:
        return " ".join(self.arguments)

    @property
    def names(self) -> set[str]:
        """All names by which a person may know it; a script's name is the kernel's alone."""
        return {_base_name(self.executable), _program(self.arguments), self.stat.command} - {""}

    @property
    def name(self) -> str:
        """The name to show: a script's own where its interpreter was started for it."""
        leading = {_base_name(argument) for argument in self.arguments[:4]}
        return self.stat.command if self.stat.command in leading else _program(self.arguments)


def ticks_to_seconds(ticks: int) -> float:
    return ticks / _TICKS


def list_pids() -> list[int]:
    return [int(name) for name in os.listdir(_PROC) if name.isdecimal()]  # noqa: PTH208 - plain names


def exists(pid: int) -> bool:
    """Return whether there is such a process, or a zombie of it."""
    return os.access(f"/proc/{pid}", os.F_OK)


def read_stat(pid: int) -> ProcessStat | None:
    """Read /proc/PID/stat; None if there is no such process."""
    text = _read(pid, "stat")
    if text is None:
        return None
    command, _, rest = text.partition("(")[2].rpartition(")")
    fields = rest.split()
    is_copy = bool(int(fields[_FLAGS]) & _FORKNOEXEC)
    return ProcessStat(
        command,
        fields[_STATE] in "ZX",
        is_copy,
        int(fields[_START]),
        int(fields[_PARENT]),
        int(fields[_GROUP]),
    )


def read_process(pid: int) -> Process | None:
    """Read what selects a process; None if it has ended, is a zombie or a kernel thread.

    A copy has its parent's program and arguments: one that execs meanwhile is read again.
    """
    while (process := _read_process(pid)) is not None and process.stat.is_copy:
        now = read_stat(pid)
        if now is None:
            return None
        if now.is_copy and now.start == process.stat.start:
            break
    return process


def _read_process(pid: int) -> Process | None:
    found = read_stat(pid)
    if found is None or found.is_zombie:
        return None
    # An exec replaces the executable first, and clears the mark of a copy before it sets arguments.
    try:
        executable = str((_PROC / str(pid) / "exe").readlink()).removesuffix(" (deleted)")
    except OSError:  # another user's process, without CAP_SYS_PTRACE
        executable = ""
    line = _read(pid, "cmdline")
    if not line:
        return None
    return Process(pid, found, executable, tuple(line.rstrip("\0").split("\0")))


def may_exec(pid: int) -> bool:
    """Return whether a process has not execed yet, or is just about to: it has no arguments."""
    found = read_stat(pid)
    if found is None or found.is_zombie:
        return False
    return found.is_copy or not _read(pid, "cmdline")


def read_uid(pid: int) -> int | None:
    """Return the effective user id."""
    for line in (_read(pid, "status") or "").splitlines():
        if line.startswith("Uid:"):
            return int(line.split()[2])
    return None


def zombie_status(pid: int) -> int | None:
    """Return a zombie's wait status; None if the process is no zombie or its status is hidden."""
    text = _read(pid, "stat")
    fields = text.rpartition(")")[2].split() if text else []
    if not fields or fields[_STATE] != "Z":
        return None
    status = int(fields[_EXIT])
    # The kernel shows 0 to users who may not trace the process.
    return status if status or _can_trace(pid) else None


def _can_trace(pid: int) -> bool:
    try:
        (_PROC / str(pid) / "exe").readlink()
    except PermissionError:
        return False
    except OSError:
        pass
    return True


def uptime() -> float:
    """Return seconds since boot, suspends included, as `ProcessStat.started` counts them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _read(pid: int, name: str) -> str | None:
    try:
        return (_PROC / str(pid) / name).read_bytes().decode("utf-8", "replace")
    except OSError as error:
        if error.errno in EXHAUSTED:
            raise
        return None


def _program(arguments: tuple[str, ...]) -> str:
    """Return argv[0]'s base name, without a login shell's dash or a title appended to it."""
    return _base_name(arguments[0].partition(": ")[0]).removeprefix("-")


def _base_name(path: str) -> str:
    return path.rpartition("/")[2]
