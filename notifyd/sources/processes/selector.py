"""Which processes a trigger means."""

import json
import os
import pwd
import stat

import regex

from notifyd.config.triggers import ProcessTriggerConfig
from notifyd.sources.processes import procfs
from notifyd.sources.processes.procfs import Process

_PATIENCE = 0.1
"""Seconds that a pattern may take over one command line."""
_LINE_SEEN = 4096
"""Characters of a command line that a pattern sees."""
_SLACK = 10.0
"""Seconds by which a process may seem to be younger than the file that names it."""


class Selector:
    """The selecting keys of one trigger. `problem`: what is wrong at the moment, if anything."""

    def __init__(self, trigger: ProcessTriggerConfig) -> None:
        self.on = frozenset(trigger.on)
        self.name = trigger.name or ""
        self.terms = json.dumps(
            {
                "name": trigger.name,
                "cmdline": trigger.cmdline,
                "pidfile": str(trigger.pidfile) if trigger.pidfile else None,
                "pid": trigger.pid,
                "user": trigger.user,
            }
        )
        """What was asked for when the trigger was armed; under other terms it is armed anew."""
        self.pid = trigger.pid
        self.pidfile = trigger.pidfile
        self.problem = ""
        self._cmdline = regex.compile(trigger.cmdline) if trigger.cmdline else None
        self._uid = _uid(trigger.user) if trigger.user else None
        self._file_seen: tuple[int, int, int] | None = None

    def begin(self) -> None:
        """Take the pidfile for changed when it is looked at next."""
        self._file_seen = None

    @property
    def searches(self) -> bool:
        """Whether processes must be searched for, since no pid is named."""
        return self.pid is None and self.pidfile is None

    def wants(self, process: Process) -> bool:
        """Say whether this process is meant. Blocking, but not for long."""
        if self._uid is not None and procfs.uid(process.pid) != self._uid:
            return False
        if self.name:
            return self.name in process.names
        return self._cmdline is None or self._fits(process.command_line[:_LINE_SEEN])

    def from_pidfile(self, now: float) -> Process | None:
        """Give the process that the pidfile names if that file has changed. Blocking.

        now: wall-clock seconds. A process that is younger than the file is not the one meant: its
        pid was given out again.
        """
        if self.pidfile is None:
            return None
        try:
            pid, seen, written = _read_pid(str(self.pidfile))
        except (OSError, ValueError):  # not there, or not written yet
            self._file_seen, self.problem = None, ""
            return None
        if seen == self._file_seen:
            return None
        self._file_seen, self.problem = seen, ""
        process = procfs.process(pid)
        if process is None or not self.wants(process):
            return None
        if now - procfs.uptime() + process.stat.started > written + _SLACK:
            self.problem = (
                f"{self.pidfile} names pid {pid}, which started after the file was written, so it "
                "is taken as left over: let the program write it anew"
            )
            return None
        return process

    def _fits(self, line: str) -> bool:
        if self._cmdline is None:
            return False
        try:
            found = self._cmdline.search(line, timeout=_PATIENCE, concurrent=True)
        except TimeoutError:
            self.problem = (
                f"cmdline pattern {self._cmdline.pattern!r} ran out of time on a command line: "
                "write it so that it cannot backtrack without end"
            )
            return False
        return found is not None


def _read_pid(path: str) -> tuple[int, tuple[int, int, int], float]:
    """Give the pid, what tells one state of the file from another, and when it was written."""
    # Whoever may write here could put a pipe or a device in the file's place.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("no regular file")
        pid = int(os.read(descriptor, 32).split()[0])
    except IndexError:
        raise ValueError("empty") from None
    finally:
        os.close(descriptor)
    if pid <= 0:
        raise ValueError("no pid")
    return pid, (found.st_ino, found.st_mtime_ns, found.st_size), found.st_mtime


def _uid(user: str) -> int:
    """Give the uid of a user by name or number; -1, which nobody has, if there is none."""
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return int(user) if user.isdecimal() else -1
