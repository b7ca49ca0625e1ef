"""Which processes a trigger selects."""

import json
import os
import pwd
import stat
from typing import NamedTuple, Self

import regex

from notifyd.config.triggers import ProcessTriggerConfig
from notifyd.sources.processes import procfs
from notifyd.sources.processes.procfs import Process
from notifyd.sources.stored_values import StoredFields

_TIME_LIMIT = 0.1
"""Seconds for a pattern on one command line."""
_MAX_CMDLINE = 4096
"""Characters of a command line that a pattern sees."""
_START_TOLERANCE = 10.0
"""Seconds by which a process may seem younger than its pidfile."""


class ProcessTerms(NamedTuple):
    """What a trigger selects. If it changes, the trigger is armed again."""

    name: str | None
    cmdline: str | None
    pidfile: str | None
    pid: int | None
    user: str | None

    def encode(self) -> str:
        return json.dumps(
            {
                "name": self.name,
                "cmdline": self.cmdline,
                "pidfile": self.pidfile,
                "pid": self.pid,
                "user": self.user,
            }
        )

    @classmethod
    def decode(cls, text: str) -> Self:
        """Decode what `encode` returned; CheckpointValueError for anything else."""
        fields = StoredFields.decode(text)
        return cls(
            fields.optional_text("name"),
            fields.optional_text("cmdline"),
            fields.optional_text("pidfile"),
            fields.optional_integer("pid"),
            fields.optional_text("user"),
        )


class ProcessSelector:
    """The selecting keys of one trigger. `problem`: what is wrong at present, or empty."""

    def __init__(self, trigger: ProcessTriggerConfig) -> None:
        self.on = frozenset(trigger.on)
        self.name = trigger.name or ""
        self.terms = ProcessTerms(
            trigger.name,
            trigger.cmdline,
            str(trigger.pidfile) if trigger.pidfile else None,
            trigger.pid,
            trigger.user,
        )
        self.tail = trigger.tail
        self.tail_lines = trigger.tail_lines
        self.pid = trigger.pid
        self.pidfile = trigger.pidfile
        self.problem = ""
        self._cmdline = regex.compile(trigger.cmdline) if trigger.cmdline else None
        self._uid = _uid(trigger.user) if trigger.user else None
        self._pidfile_state: tuple[int, int, int] | None = None

    def reset(self) -> None:
        """Read the pidfile next time even if it has not changed."""
        self._pidfile_state = None

    @property
    def needs_scans(self) -> bool:
        """Whether processes must be searched for, because no pid is known."""
        return self.pid is None and self.pidfile is None

    def matches(self, process: Process) -> bool:
        """Return whether this process is selected. Blocks for at most the time limit."""
        if self._uid is not None and procfs.read_uid(process.pid) != self._uid:
            return False
        if self.name and self.name not in process.names:
            return False
        return self._cmdline is None or self._matches_cmdline(process.command_line[:_MAX_CMDLINE])

    def read_pidfile(self, wall: float) -> Process | None:
        """Return the process that the pidfile names if the file has changed. Blocking.

        A process younger than the file is not the one meant: its pid has been reused.
        """
        if self.pidfile is None:
            return None
        try:
            pid, state, written = _read_pid(str(self.pidfile))
        except (OSError, ValueError):  # missing, or not written yet
            self._pidfile_state, self.problem = None, ""
            return None
        if state == self._pidfile_state:
            return None
        self._pidfile_state, self.problem = state, ""
        process = procfs.read_process(pid)
        if process is None or not self.matches(process):
            if procfs.may_exec(pid):
                self._pidfile_state = None
            return None
        if wall - procfs.uptime() + process.stat.started > written + _START_TOLERANCE:
            self.problem = (
                f"{self.pidfile} is out of date: pid {pid} started after the file was written; "
                "have the program write the file again"
            )
            return None
        return process

    def _matches_cmdline(self, line: str) -> bool:
        if self._cmdline is None:
            return False
        try:
            found = self._cmdline.search(line, timeout=_TIME_LIMIT, concurrent=True)
        except TimeoutError:
            self.problem = (
                f"cmdline pattern {self._cmdline.pattern!r} could not be decided in time, because "
                "it backtracks without end; rewrite it without a repeat inside a repeat"
            )
            return False
        return found is not None


def _read_pid(path: str) -> tuple[int, tuple[int, int, int], float]:
    """Return the pid, what identifies the file's state, and when it was written."""
    # Whoever may write here could put a pipe or a device in the file's place.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("not a regular file")
        pid = int(os.read(descriptor, 32).split()[0])
    except IndexError:
        raise ValueError("empty") from None
    finally:
        os.close(descriptor)
    if pid <= 0:
        raise ValueError("not a pid")
    return pid, (found.st_ino, found.st_mtime_ns, found.st_size), found.st_mtime


def _uid(user: str) -> int:
    """Return the uid of a user given by name or number; -1, which no user has, if unknown."""
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return int(user) if user.isdecimal() else -1
