"""Where the kernel counts the processes that it kills for want of memory, see cgroups(7)."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

_V1_FILES: Final = ("memory.oom_control",)
_V2_FILES: Final = ("memory.events.local", "memory.events")
_FLAGS: Final = 6
"""The index of a field after the command's closing parenthesis, see proc(5)."""
_EXITING: Final = 0x4
"""PF_EXITING."""


class _Hierarchy(NamedTuple):
    """A mounted hierarchy of control groups. root: the group at the mount point."""

    point: str
    root: str
    is_v2: bool


class KillCounters:
    """Finds the counter of each process. machine: that of all groups together."""

    def __init__(self, proc: Path) -> None:
        self._proc = proc
        self.machine = proc / "vmstat"

    @cached_property
    def _hierarchies(self) -> list[_Hierarchy]:
        return sorted(_hierarchies(self._proc), key=lambda each: each.is_v2)

    def find(self, pid: int) -> Path:
        """Return the file with the counter of a process's group, else that of the machine."""
        groups = dict(_memory_groups(self._proc / str(pid) / "cgroup"))
        for hierarchy in self._hierarchies:
            if (group := groups.get(hierarchy.is_v2)) is None:
                continue
            inside = _below(group, hierarchy.root)
            # A group without the controller is counted with the one above it.
            while inside is not None:
                for name in _V2_FILES if hierarchy.is_v2 else _V1_FILES:
                    counter = Path(hierarchy.point, inside, name)
                    if read_kills(counter) is not None:
                        return counter
                inside = inside.rpartition("/")[0] if inside else None
        return self.machine

    def is_exiting(self, pid: int) -> bool:
        """Return whether a process is ending, so that its group may not be shown any more."""
        fields = _read(self._proc / str(pid) / "stat").rpartition(")")[2].split()
        return len(fields) <= _FLAGS or bool(int(fields[_FLAGS]) & _EXITING)


def read_kills(counter: Path) -> int | None:
    """Return the count; None if it cannot be read, because the group is gone for example."""
    for line in _read(counter).splitlines():
        name, _, value = line.partition(" ")
        if name == "oom_kill" and value.isdecimal():
            return int(value)
    return None


def _memory_groups(file: Path) -> Iterator[tuple[bool, str]]:
    """Yield the groups of a process that may count, with whether it is the second version's."""
    for line in _read(file).splitlines():
        number, controllers, group = line.split(":", 2) if line.count(":") > 1 else ("", "", "")
        if number == "0" or "memory" in controllers.split(","):
            yield number == "0", group


def _hierarchies(proc: Path) -> Iterator[_Hierarchy]:
    for line in _read(proc / "self/mountinfo").splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = (*right.split(" "), "", "")[:3]
        root, point = (*left.split(" "), "", "", "", "", "")[3:5]
        if kind == "cgroup2" or (kind == "cgroup" and "memory" in options.split(",")):
            yield _Hierarchy(point, root, is_v2=kind == "cgroup2")


def _below(group: str, root: str) -> str | None:
    """Return the path of a group below another; None if it is elsewhere."""
    root = root.rstrip("/")
    if ".." in group.split("/") or not (group == root or group.startswith(f"{root}/")):
        return None
    return group.removeprefix(root).strip("/")


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="surrogateescape")
    except OSError:
        return ""
