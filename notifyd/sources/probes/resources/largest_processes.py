"""The processes that use most of a resource. Bounded in time and number; blocking."""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from notifyd.sources.probes.resources.gpu import gpu_processes
from notifyd.sources.probes.resources.measurement import (
    KernelFiles,
    MeasureError,
    format_bytes,
    read_table,
    read_text,
)
from notifyd.text.limits import strip_control_from_title

LISTED: Final = 5
_MOST_PROCESSES: Final = 20_000
_MOST_SECONDS: Final = 2.0
_SAMPLE_SECONDS: Final = 0.5
"""Between two readings of a counter."""
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_USER_TICKS, _SYSTEM_TICKS = 11, 12
"""Indexes of fields after the command's closing parenthesis in /proc/PID/stat."""
_INTERPRETERS: Final = ("python", "node", "ruby", "perl", "java", "bash", "sh")
"""Without a version, such as the one of python3.13."""

_ReadUse = Callable[[Path], float]
"""Returns what the process of a directory in /proc uses; 0 if that is hidden."""


def largest_processes(files: KernelFiles, resource: str) -> list[str]:
    """Describe the processes that use most, such as "python train.py (pid 42): 3.1 GiB"."""
    match resource:
        case "memory" | "pressure-memory" | "oom":
            return _describe(files, _uses(files, _resident), format_bytes)
        case "swap":
            return _describe(files, _uses(files, _swapped), format_bytes)
        case "load" | "pressure-cpu":
            return _describe(files, _rates(files, _cpu_seconds), lambda cpus: f"{cpus:.1f} CPUs")
        case "pressure-io":
            return _describe(
                files, _rates(files, _io_bytes), lambda rate: f"{format_bytes(rate)}/s"
            )
    try:
        uses = {process.pid: float(max(process.memory, 1)) for process in gpu_processes()}
    except MeasureError:
        return []
    return _describe(files, uses, format_bytes)


def _uses(files: KernelFiles, read_use: _ReadUse) -> dict[int, float]:
    """Return what each process uses that uses anything."""
    deadline = time.monotonic() + _MOST_SECONDS
    uses = {}
    for pid in _pids(files)[:_MOST_PROCESSES]:
        if time.monotonic() > deadline:
            break
        try:
            use = read_use(files.proc / str(pid))
        except (IndexError, ValueError):
            continue
        if use > 0:
            uses[pid] = use
    return uses


def _rates(files: KernelFiles, read_use: _ReadUse) -> dict[int, float]:
    """Return by how much the counter of each process grows a second."""
    before, started = _uses(files, read_use), time.monotonic()
    time.sleep(_SAMPLE_SECONDS)
    after, passed = _uses(files, read_use), time.monotonic() - started
    return {
        pid: (use - before[pid]) / passed
        for pid, use in after.items()
        if pid in before and use > before[pid]
    }


def _pids(files: KernelFiles) -> list[int]:
    try:
        names = os.listdir(files.proc)  # noqa: PTH208 - plain names
    except OSError:
        return []
    return [int(name) for name in names if name.isdecimal()]


def _describe(
    files: KernelFiles, uses: dict[int, float], format_use: Callable[[float], str]
) -> list[str]:
    largest = sorted(uses, key=lambda pid: -uses[pid])[:LISTED]
    named = [(pid, strip_control_from_title(_name(files.proc / str(pid)))) for pid in largest]
    return [f"{name} (pid {pid}): {format_use(uses[pid])}" for pid, name in named if name]


def _name(process: Path) -> str:
    """Return the program, with the script where it is an interpreter; empty if it has ended."""
    arguments = (read_text(process / "cmdline") or "").rstrip("\0").split("\0")
    program = _base_name(arguments[0].partition(": ")[0]).removeprefix("-")
    if not program:
        return (read_text(process / "comm") or "").strip()
    if program.rstrip("0123456789.") in _INTERPRETERS:
        script = _script(arguments[1:])
        return f"{program} {_base_name(script)}" if script else program
    return program


def _script(arguments: Iterable[str]) -> str:
    """Return the script or module that an interpreter runs; empty for code in an argument."""
    rest = iter(arguments)
    for argument in rest:
        if argument in ("-c", "-e"):
            return ""
        if argument in ("-W", "-X"):
            next(rest, "")
        elif not argument.startswith("-"):
            return argument
    return ""


def _base_name(path: str) -> str:
    return path.rpartition("/")[2]


def _resident(process: Path) -> float:
    return int((read_text(process / "statm") or "0 0").split()[1]) * _PAGE


def _swapped(process: Path) -> float:
    for line in (read_text(process / "status") or "").splitlines():
        if line.startswith("VmSwap:"):
            return int(line.split()[1]) * 1024
    return 0.0


def _cpu_seconds(process: Path) -> float:
    fields = (read_text(process / "stat") or "").rpartition(")")[2].split()
    return (int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])) / _TICKS


def _io_bytes(process: Path) -> float:
    table = read_table(process / "io", ":")
    return table.get("read_bytes", 0) + table.get("write_bytes", 0)
