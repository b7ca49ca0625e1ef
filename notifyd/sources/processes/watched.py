"""A watched process, its stored form, and the events of its start and exit."""

import json
import signal
from dataclasses import dataclass
from sys import intern
from typing import Final, NamedTuple, Self

from notifyd.model.events import Event
from notifyd.sources.processes.process_match import ProcessMatch
from notifyd.sources.stored_values import CheckpointValueError, StoredFields
from notifyd.text.durations import format_duration

_MAX_PID: Final = 1 << 22
"""The kernel's PID_MAX_LIMIT."""


@dataclass(slots=True)
class WatchedProcess:
    """start: clock ticks after boot. pidfd: -1 if there is none. group: the process group.

    held_starts: triggers whose report of the start waits for a job below this wrapper.
    """

    pid: int
    start: int
    boot: str
    name: str
    cmdline: str
    user: str
    triggers: tuple[str, ...] = ()
    pidfd: int = -1
    group: int = 0
    held_starts: tuple[str, ...] = ()

    @classmethod
    def from_match(cls, match: ProcessMatch, boot: str) -> Self:
        watched = cls(match.pid, match.start, boot, match.name, match.cmdline, match.user)
        watched.group = match.group
        return watched

    @property
    def identity(self) -> tuple[int, int, str]:
        return self.pid, self.start, self.boot

    def update_program(self, match: ProcessMatch) -> bool:
        """Take over the name and command line after an exec; return whether they have changed."""
        if (self.name, self.cmdline) == (match.name, match.cmdline):
            return False
        self.name, self.cmdline = match.name, match.cmdline
        return True

    def remove_trigger(self, trigger: str) -> None:
        self.triggers = tuple(name for name in self.triggers if name != trigger)
        self.held_starts = tuple(name for name in self.held_starts if name != trigger)

    def encode(self) -> str:
        return json.dumps(
            {
                "pid": self.pid,
                "start": self.start,
                "boot": self.boot,
                "name": self.name,
                "cmdline": self.cmdline,
                "user": self.user,
            }
            | ({"group": self.group} if self.group else {})
        )

    @classmethod
    def decode(cls, pid: str, text: str) -> Self:
        """Decode what `encode` returned, or raise CheckpointValueError. pid: of the stored key."""
        fields = StoredFields.decode(text)
        found = fields.integer("pid", least=1, most=_MAX_PID)
        if str(found) != pid:
            raise CheckpointValueError(f'"pid" must be {pid}, not {found}')
        return cls(
            found,
            fields.integer("start"),
            intern(fields.text("boot")),
            intern(fields.text("name")),
            intern(fields.text("cmdline")),
            intern(fields.text("user")),
            group=fields.integer("group") if "group" in fields else 0,
        )


class ExitInfo(NamedTuple):
    """How a process ended.

    status: as of wait(2), None if unknown. duration: seconds, None if unknown. while_stopped: it
    ended while notifyd was not running. rebooted: the machine restarted meanwhile. tail: lines to
    show with it. cause: why it was killed by its signal, if known.
    """

    status: int | None = None
    duration: float | None = None
    while_stopped: bool = False
    rebooted: bool = False
    tail: str = ""
    cause: str = ""

    @property
    def code(self) -> int | None:
        if self.status is None or self.signal:
            return None
        return self.status >> 8 & 0xFF

    @property
    def signal(self) -> str:
        number = (self.status or 0) & 0x7F
        if not number:
            return ""
        try:
            return signal.Signals(number).name
        except ValueError:
            return f"SIGRTMIN+{number - signal.SIGRTMIN}"

    def is_launcher(self, launcher_time: float) -> bool:
        """Return whether it may have ended so soon because a copy of it goes into the background.

        An unknown status counts as success: init reaps at once what ended below a launcher.
        """
        is_soon = self.duration is not None and self.duration <= launcher_time
        return not self.status and is_soon and not self.while_stopped

    @property
    def is_failure(self) -> bool:
        """An unknown status is no failure, but a restart of the machine is one."""
        return bool(self.status) or self.rebooted

    @property
    def outcome(self) -> str:
        """`success`, `failure` or `unknown`."""
        if self.is_failure:
            return "failure"
        return "unknown" if self.status is None else "success"

    def describe(self) -> str:
        after = "" if self.duration is None else f" after {format_duration(self.duration)}"
        if self.rebooted:
            return "ended when the machine restarted, status unknown"
        if self.while_stopped:
            return "ended while notifyd was not running, status unknown"
        if self.cause:
            return f"was killed: {self.cause}{after}"
        if self.signal:
            return f"was killed by {self.signal}{after}"
        if self.code is not None:
            return f"exited with status {self.code}{after}"
        return f"ended{after}, status unknown"


def start_event(trigger: str, name: str, watched: WatchedProcess, wall: float) -> Event:
    return _event(trigger, watched, wall, "started", {"event": "start", "name": name})


def exit_event(
    trigger: str, name: str, watched: WatchedProcess, wall: float, exit_info: ExitInfo
) -> Event:
    duration = exit_info.duration
    facts = {
        "name": name,
        "event": "failure" if exit_info.is_failure else "exit",
        "outcome": exit_info.outcome,
        "exit_code": "" if exit_info.code is None else str(exit_info.code),
        "signal": exit_info.signal,
        "duration": "" if duration is None else format_duration(duration),
    }
    if exit_info.cause:
        facts["cause"] = exit_info.cause
    if exit_info.tail:
        facts["after"] = exit_info.tail
    return _event(trigger, watched, wall, exit_info.describe(), facts)


def _event(
    trigger: str, watched: WatchedProcess, wall: float, text: str, facts: dict[str, str]
) -> Event:
    name = facts["name"] or watched.name
    common = {"pid": str(watched.pid), "cmdline": watched.cmdline, "user": watched.user}
    line = f"{name} (pid {watched.pid}) {text}"
    return Event(trigger, wall, line, facts=common | facts | {"name": name})
