"""Which of the processes that a trigger selects are jobs: no wrappers, and no parts of a job."""

import os
from collections.abc import Iterator

from notifyd.sources.probes.commands import RUNNER_PROGRAM
from notifyd.sources.processes import procfs
from notifyd.sources.processes.procfs import Process
from notifyd.sources.processes.selector import ProcessSelector

_SHELLS = frozenset({"ash", "bash", "dash", "fish", "ksh", "mksh", "sh", "zsh"})
_WRAPPERS = frozenset(
    {
        *("catatonit", "chrt", "conda", "dbus-run-session", "doas", "dumb-init", "env", "flock"),
        *("hatch", "ionice", "mamba", "micromamba", "nice", "nohup", "numactl", "parallel", "pdm"),
        *("pipenv", "pixi", "poetry", "prlimit", "runuser", "rye", "screen", "script", "setpriv"),
        *("setsid", "srun", "ssh", "stdbuf", "strace", "su", "sudo", "systemd-inhibit"),
        *("systemd-run", "taskset", "tee", "time", "timeout", "tini", "tmux", "unbuffer"),
        *("unshare", "uv", "uvx", "watch", "xargs"),
    }
)
"""Programs whose command line contains that of another program, by name."""


class Ancestry:
    """The ancestors of processes. Each is read once, so an instance serves one moment."""

    def __init__(self) -> None:
        self._processes: dict[int, Process | None] = {}

    def ancestors(self, process: Process) -> Iterator[Process]:
        """Yield the parent first. Stops at a process that cannot be read."""
        seen = {process.pid}
        parent = process.stat.parent
        while parent > 0 and parent not in seen:
            seen.add(parent)
            if parent not in self._processes:
                self._processes[parent] = procfs.read_process(parent)
            found = self._processes[parent]
            if found is None:
                return
            yield found
            parent = found.stat.parent

    def is_command(self, process: Process) -> bool:
        """Return whether it is the command of a probe, a part of one, or what runs them."""
        return any(
            each.stat.parent == os.getpid() and str(RUNNER_PROGRAM) in each.arguments
            for each in (process, *self.ancestors(process))
        )

    def selected(self, process: Process, selector: ProcessSelector) -> list[Process]:
        """Return the ancestors that a selector selects as well, the nearest first."""
        return [
            each
            for each in self.ancestors(process)
            if each.pid != os.getpid() and selector.matches(each)
        ]


def is_wrapper(process: Process, selector: ProcessSelector) -> bool:
    """Return whether a process runs another program, and is not selected by its own name.

    A shell is a wrapper with `-c`; one that runs a script is not.
    """
    if selector.name and selector.name in process.names:
        return False
    if process.name in _SHELLS:
        return _has_command_option(process.arguments)
    return process.name in _WRAPPERS


def wrappers_of_job(
    process: Process, selector: ProcessSelector, ancestry: Ancestry
) -> tuple[Process, ...] | None:
    """Return the selected wrappers above a job; None if the process is part of another job.

    A wrapper with no other selected process above or below it is a job.
    """
    above = ancestry.selected(process, selector)
    if not all(is_wrapper(each, selector) for each in above):
        return None
    if above and (process.stat.is_copy or is_wrapper(process, selector)):
        return None
    return tuple(above)


def _has_command_option(arguments: tuple[str, ...]) -> bool:
    for argument in arguments[1:]:
        if not argument.startswith("-"):
            return False
        if "c" in argument and not argument.startswith("--"):
            return True
    return False
