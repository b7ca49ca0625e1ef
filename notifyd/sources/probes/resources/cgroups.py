"""The limits that control groups set to notifyd and all that runs beside it.

Only the group at the root of the hierarchy and the groups above notifyd's own count: in a container
the root is the container's. The group of notifyd's own service says nothing of anybody else.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from notifyd.sources.probes.resources.measurement import (
    KernelFiles,
    read_number,
    read_table,
    read_text,
)


class MemoryUse(NamedTuple):
    """Bytes. used: without what the kernel can drop at once."""

    used: int
    limit: int


class _MemoryNames(NamedTuple):
    """Files of one version of control groups. cache: what `memory.stat` calls the page cache."""

    controller: str
    limit: str
    used: str
    cache: str


_MEMORY = (
    _MemoryNames("", "memory.max", "memory.current", "inactive_file"),
    _MemoryNames("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def tightest_memory(files: KernelFiles, machine: int) -> MemoryUse | None:
    """Return the fullest group with a limit below the machine's memory; None without a limit."""
    uses = [
        use for names in _MEMORY for use in _memory_uses(files, names) if 0 < use.limit < machine
    ]
    return max(uses, key=lambda use: use.used / use.limit, default=None)


def tightest_swap(files: KernelFiles, machine: int) -> MemoryUse | None:
    """Return the fullest group whose limit is below the machine's swap; None without a limit."""
    uses = []
    for group in _groups(files, ""):
        limit = read_number(group / "memory.swap.max")
        used = read_number(group / "memory.swap.current")
        if limit is not None and used is not None and limit < machine:
            uses.append(MemoryUse(used, limit))
    return max(uses, key=lambda use: use.used / max(use.limit, 1), default=None)


def cpu_quota(files: KernelFiles) -> float | None:
    """Return how many CPUs the groups allow; None without a limit."""
    quotas = []
    for group in _groups(files, ""):
        quota, _, period = (read_text(group / "cpu.max") or "").partition(" ")
        if quota.isdecimal() and period.strip().isdecimal():
            quotas.append(int(quota) / max(int(period), 1))
    for group in _groups(files, "cpu"):
        quota_us = read_number(group / "cpu.cfs_quota_us")  # -1: no limit
        period_us = read_number(group / "cpu.cfs_period_us")
        if quota_us and period_us:
            quotas.append(quota_us / period_us)
    return min(quotas, default=None)


def oom_kills(files: KernelFiles) -> int | None:
    """Return how many processes the kernel has killed for want of memory; None if unknown.

    In a container those of the container, else those of the machine.
    """
    kills = read_table(files.cgroup / "memory.events").get("oom_kill")
    if kills is not None:
        return kills
    machine = read_table(files.proc / "meminfo", ":").get("MemTotal", 0) * 1024
    limit = read_number(files.cgroup / "memory/memory.limit_in_bytes")
    if limit is not None and limit < machine:
        kills = read_table(files.cgroup / "memory/memory.oom_control").get("oom_kill")
    return read_table(files.proc / "vmstat").get("oom_kill") if kills is None else kills


def _memory_uses(files: KernelFiles, names: _MemoryNames) -> Iterator[MemoryUse]:
    for group in _groups(files, names.controller):
        limit = read_number(group / names.limit)
        used = read_number(group / names.used)
        if limit is not None and used is not None:
            cache = read_table(group / "memory.stat").get(names.cache, 0)
            yield MemoryUse(max(used - cache, 0), limit)


def _groups(files: KernelFiles, controller: str) -> Iterator[Path]:
    """Yield the directories of the root group, then of those on the way to notifyd's own.

    controller: of the first version; empty for the second one.
    """
    root = files.cgroup / controller
    yield root
    path = _own_group(files, controller)
    parts = [part for part in path.split("/") if part]
    if parts and parts[-1].endswith(".service"):
        del parts[-1]
    if ".." in parts:  # outside of the hierarchy that is visible here
        return
    for number in range(1, len(parts) + 1):
        yield root.joinpath(*parts[:number])


def _own_group(files: KernelFiles, controller: str) -> str:
    for line in (read_text(files.proc / "self/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2) if line.count(":") > 1 else ("", "-", "")
        if controller in controllers.split(","):
            return path
    return ""
