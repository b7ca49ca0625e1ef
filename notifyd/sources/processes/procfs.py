"""What /proc tells of a process, by proc(5)."""

import os
import time
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_NOT_EXECED = 0x40
"""PF_FORKNOEXEC: still the copy of its parent that fork made."""
_STATE, _FLAGS, _START, _EXIT = 0, 6, 19, 49
"""Where these stand after the command's closing parenthesis."""


class Stat(NamedTuple):
    """start: clock ticks after boot. copy: it has not begun a program of its own."""

    command: str
    zombie: bool
    copy: bool
    start: int

    @property
    def started(self) -> float:
        """Seconds after boot at which it started."""
        return seconds(self.start)


class Process(NamedTuple):
    """One process: pid and start tell it from every other until the next boot."""

    pid: int
    stat: Stat
    executable: str
    arguments: tuple[str, ...]

    @property
    def command_line(self) -> str:
        return " ".join(self.arguments)

    @property
    def names(self) -> set[str]:
        """Every name under which a person may know it; a script's is the kernel's alone."""
        return {_base(self.executable), _program(self.arguments), self.stat.command} - {""}

    @property
    def name(self) -> str:
        """The name to show: a script's own where the interpreter was started for it."""
        started = {_base(argument) for argument in self.arguments[:4]}
        return self.stat.command if self.stat.command in started else _program(self.arguments)


def seconds(ticks: int) -> float:
    return ticks / _TICKS


def pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208 - plain names


def stat(pid: int) -> Stat | None:
    """Read /proc/PID/stat; None if there is no such process."""
    text = _read(pid, "stat")
    if text is None:
        return None
    command, _, rest = text.partition("(")[2].rpartition(")")
    fields = rest.split()
    copy = bool(int(fields[_FLAGS]) & _NOT_EXECED)
    return Stat(command, fields[_STATE] in "ZX", copy, int(fields[_START]))


def process(pid: int) -> Process | None:
    """Read what selects a process; None if it is gone, a zombie or a thread of the kernel."""
    found = stat(pid)
    line = _read(pid, "cmdline")
    if found is None or found.zombie or not line:
        return None
    arguments = line.rstrip("\0").split("\0")
    try:
        executable = str((_PROC / str(pid) / "exe").readlink()).removesuffix(" (deleted)")
    except OSError:  # of another user, without CAP_SYS_PTRACE
        executable = ""
    return Process(pid, found, executable, tuple(arguments))


def uid(pid: int) -> int | None:
    """Give the effective user id."""
    for line in (_read(pid, "status") or "").splitlines():
        if line.startswith("Uid:"):
            return int(line.split()[2])
    return None


def zombie_status(pid: int) -> int | None:
    """Give a zombie's wait status; None if it is no zombie or we may not know."""
    text = _read(pid, "stat")
    fields = text.rpartition(")")[2].split() if text else []
    if not fields or fields[_STATE] != "Z":
        return None
    status = int(fields[_EXIT])
    # The kernel shows 0 to those who may not trace the process: ask about that in another way.
    return status if status or _may_trace(pid) else None


def _may_trace(pid: int) -> bool:
    try:
        (_PROC / str(pid) / "exe").readlink()
    except PermissionError:
        return False
    except OSError:
        pass
    return True


def uptime() -> float:
    """Give seconds since boot, suspends included, as `Stat.started` counts them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _read(pid: int, name: str) -> str | None:
    try:
        return (_PROC / str(pid) / name).read_bytes().decode("utf-8", "replace")
    except OSError:
        return None


def _program(arguments: tuple[str, ...]) -> str:
    """Give argv[0]'s base name, without a login shell's dash or a title that was put after it."""
    return _base(arguments[0].partition(": ")[0]).removeprefix("-")


def _base(path: str) -> str:
    return path.rpartition("/")[2]
