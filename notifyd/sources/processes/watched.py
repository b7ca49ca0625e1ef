"""A process that is watched, how it is remembered, and how its start and end are told."""

import json
import signal
from dataclasses import dataclass
from sys import intern
from typing import Final, NamedTuple, Self

from notifyd.model.events import Event
from notifyd.sources.processes.scanner import ProcessMatch
from notifyd.sources.stored_values import CheckpointValueError, StoredFields
from notifyd.text.durations import format_duration

_LARGEST_PID: Final = 1 << 22
"""The kernel's PID_MAX_LIMIT."""


@dataclass(slots=True)
class WatchedProcess:
    """start: clock ticks after boot. pidfd: -1 while there is none."""

    pid: int
    start: int
    boot: str
    name: str
    cmdline: str
    user: str
    triggers: tuple[str, ...] = ()
    pidfd: int = -1

    @classmethod
    def found(cls, match: ProcessMatch, boot: str) -> Self:
        return cls(match.pid, match.start, boot, match.name, match.cmdline, match.user)

    @property
    def identity(self) -> tuple[int, int, str]:
        return self.pid, self.start, self.boot

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
        )

    @classmethod
    def decode(cls, pid: str, text: str) -> Self:
        """Decode what `encode` returned, or raise CheckpointValueError. pid: of its key."""
        fields = StoredFields.decode(text)
        found = fields.integer("pid", least=1, most=_LARGEST_PID)
        if str(found) != pid:
            raise CheckpointValueError(f'"pid" must be {pid}, not {found}')
        return cls(
            found,
            fields.integer("start"),
            intern(fields.text("boot")),
            intern(fields.text("name")),
            intern(fields.text("cmdline")),
            intern(fields.text("user")),
        )


class ExitInfo(NamedTuple):
    """How a process ended.

    status: as wait(2) has it, None if it cannot be known. lasted: seconds, None likewise.
    absent: it ended while nobody watched. rebooted: the machine was restarted under it.
    """

    status: int | None = None
    lasted: float | None = None
    absent: bool = False
    rebooted: bool = False

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

    @property
    def failed(self) -> bool:
        """A status that is not known is no failure, but a restart of the machine is one."""
        return bool(self.status) or self.rebooted

    def sentence(self) -> str:
        after = "" if self.lasted is None else f" after {format_duration(self.lasted)}"
        if self.rebooted:
            return "ended when the machine was restarted, status unknown"
        if self.absent:
            return "ended while notifyd was not running, status unknown"
        if self.signal:
            return f"was ended by {self.signal}{after}"
        if self.code is not None:
            return f"exited with status {self.code}{after}"
        return f"ended{after}, status unknown"


def start_event(trigger: str, name: str, watched: WatchedProcess, wall: float) -> Event:
    return _event(trigger, watched, wall, "started", {"event": "start", "name": name})


def end_event(
    trigger: str, name: str, watched: WatchedProcess, wall: float, end: ExitInfo
) -> Event:
    facts = {
        "name": name,
        "event": "failure" if end.failed else "exit",
        "exit_code": "" if end.code is None else str(end.code),
        "signal": end.signal,
        "duration": "" if end.lasted is None else format_duration(end.lasted),
    }
    return _event(trigger, watched, wall, end.sentence(), facts)


def _event(
    trigger: str, watched: WatchedProcess, wall: float, sentence: str, facts: dict[str, str]
) -> Event:
    name = facts["name"] or watched.name
    common = {"pid": str(watched.pid), "cmdline": watched.cmdline, "user": watched.user}
    line = f"{name} (pid {watched.pid}) {sentence}"
    return Event(trigger, wall, line, facts=common | facts | {"name": name})
