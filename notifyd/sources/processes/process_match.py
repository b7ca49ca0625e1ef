"""A process that triggers select."""

from collections.abc import Iterable
from functools import lru_cache
from sys import intern
from typing import NamedTuple, Self

from notifyd.model.user import user_name
from notifyd.sources.processes import procfs
from notifyd.sources.processes.procfs import Process
from notifyd.text.limits import clip

_MAX_CMDLINE = 1000
"""Characters of a command line that are kept and shown."""

_user_name = lru_cache(256)(user_name)


class ProcessMatch(NamedTuple):
    """A process and the triggers that select it.

    start: clock ticks after boot. group: its process group.
    wrapper_for: the triggers for which it is a wrapper, so that the job may still appear below it.
    wrappers: triggers and pids of wrappers above it, which are no jobs. is_leftover: it was part of
    a job that has ended. is_copy: it has not execed.

    Thousands of matches may be alike, so they share their strings.
    """

    pid: int
    start: int
    name: str
    cmdline: str
    user: str
    triggers: tuple[str, ...]
    group: int = 0
    wrapper_for: tuple[str, ...] = ()
    wrappers: tuple[tuple[str, int], ...] = ()
    is_leftover: bool = False
    is_copy: bool = False

    @classmethod
    def of(cls, process: Process, triggers: Iterable[str]) -> Self:
        uid = procfs.read_uid(process.pid)
        return cls(
            process.pid,
            process.stat.start,
            intern(process.name),
            intern(clip(process.command_line, _MAX_CMDLINE)),
            "" if uid is None else _user_name(uid),
            tuple(triggers),
            process.stat.group,
            is_copy=process.stat.is_copy,
        )
