"""What systemd says of a unit at one moment."""

import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self

NOT_FOUND: Final = "not-found"
"""`LoadState` of a unit that does not exist."""
_UP: Final = frozenset({"active", "reloading", "refreshing"})
_EXITED, _KILLED, _DUMPED = 1, 2, 3
"""Values of `ExecMainCode`, as in siginfo_t."""
_RESULTS: Final = {
    "timeout": "timed out",
    "watchdog": "watchdog timeout",
    "oom-kill": "out of memory",
    "start-limit-hit": "started too often",
    "resources": "no resources to start it",
    "protocol": "did not follow its start protocol",
    "exec-condition": "its condition failed",
}
"""By `Result`: those that say more than the status of the main process."""
_SETUP_FAILURES: Final = {
    200: "CHDIR",
    203: "EXEC",
    216: "GROUP",
    217: "USER",
    226: "NAMESPACE",
    243: "CREDENTIALS",
}
"""Statuses with which systemd itself ends a process that it cannot set up, as it names them."""
_CLEAN: Final = ("", "success")
_RESTARTED_AFTER_SUCCESS: Final = frozenset({"always", "on-success"})


@dataclass(frozen=True, slots=True)
class UnitStatus:
    """The state of one unit, and how its last run ended.

    active, sub, load, result, policy: `ActiveState`, `SubState`, `LoadState`, `Result`, `Restart`.
    code, exit_status: `ExecMainCode` and `ExecMainStatus`. restarts: `NRestarts`, automatic ones.
    invocation: `InvocationID` in hex. changed_at: when the state began, in seconds of monotonic
    time; changed_wall: the same by the wall clock. started_wall: when the last run began, by the
    wall clock; 0 where that is unknown. duration: of the last run of the main process, in seconds;
    None where that is unknown.
    """

    unit: str
    active: str
    sub: str = ""
    load: str = "loaded"
    result: str = ""
    policy: str = ""
    code: int = 0
    exit_status: int = 0
    restarts: int = 0
    invocation: str = ""
    changed_at: float = 0.0
    changed_wall: float = 0.0
    started_wall: float = 0.0
    duration: float | None = None

    @classmethod
    def from_properties(cls, unit: str, properties: Mapping[str, object]) -> Self:
        """Build a status from properties of the unit and of its type, by their D-Bus names.

        Absent ones, and those of another type, count as empty.
        """
        given = _Properties(properties)
        started = given.microseconds("ExecMainStartTimestampMonotonic")
        ended = given.microseconds("ExecMainExitTimestampMonotonic")
        return cls(
            unit=unit,
            active=given.text("ActiveState"),
            sub=given.text("SubState"),
            load=given.text("LoadState") or "loaded",
            result=given.text("Result"),
            policy=given.text("Restart"),
            code=given.integer("ExecMainCode"),
            exit_status=given.integer("ExecMainStatus"),
            restarts=given.integer("NRestarts"),
            invocation=given.hex("InvocationID"),
            changed_at=given.microseconds("StateChangeTimestampMonotonic"),
            changed_wall=given.microseconds("StateChangeTimestamp"),
            started_wall=given.microseconds("ExecMainStartTimestamp")
            or given.microseconds("InactiveExitTimestamp"),
            duration=ended - started if ended >= started > 0 else None,
        )

    @property
    def is_up(self) -> bool:
        return self.active in _UP

    @property
    def is_failed(self) -> bool:
        """Whether it has failed; systemd may restart it in the next moment."""
        return self.active == "failed" or self.is_failed_and_restarting

    @property
    def is_failed_and_restarting(self) -> bool:
        return self.sub.startswith("auto-restart") and self.result not in _CLEAN

    @property
    def is_finished(self) -> bool:
        """Whether it is inactive after a run that succeeded."""
        return self.active == "inactive" and self.result in _CLEAN

    @property
    def may_restart_after_success(self) -> bool:
        """Whether a restart by systemd does not prove that the unit failed."""
        return self.policy in _RESTARTED_AFTER_SUCCESS

    @property
    def signal(self) -> str:
        """The name of the signal that ended the main process; empty if none did."""
        if self.code not in (_KILLED, _DUMPED):
            return ""
        with suppress(ValueError):
            return signal.Signals(self.exit_status).name
        return f"signal {self.exit_status}"

    @property
    def exit_code(self) -> int | None:
        """The exit status of the main process; None if it did not exit by itself."""
        return self.exit_status if self.code == _EXITED else None

    @property
    def _status_text(self) -> str:
        name = _SETUP_FAILURES.get(self.exit_status, "")
        return f"{self.exit_status}/{name}" if name else str(self.exit_status)

    @property
    def reason(self) -> str:
        """Why it failed, in few words: "status 42"; empty if nothing is known."""
        if self.result in _RESULTS:
            return _RESULTS[self.result]
        if self.signal:
            core = ", core dumped" if self.code == _DUMPED else ""
            return f"killed by {self.signal}{core}"
        if self.exit_code:
            return f"status {self._status_text}"
        return "" if self.result in _CLEAN else self.result

    @property
    def description(self) -> str:
        """How its last run ended, as a clause behind its name."""
        if self.signal:
            text = f"main process was killed by {self.signal}"
            text += ", core dumped" if self.code == _DUMPED else ""
        elif self.exit_code is not None:
            text = f"main process exited with status {self._status_text}"
        else:
            return self.reason or "failed"
        known = _RESULTS.get(self.result)
        return f"{text} ({known})" if known else text


class _Properties:
    """Properties by their names; a wrong type counts as none."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def text(self, name: str) -> str:
        value = self._values.get(name)
        return value if isinstance(value, str) else ""

    def integer(self, name: str) -> int:
        value = self._values.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else 0

    def microseconds(self, name: str) -> float:
        """Return a time in seconds."""
        return self.integer(name) / 1e6

    def hex(self, name: str) -> str:
        value = self._values.get(name)
        if isinstance(value, bytes | bytearray):
            return bytes(value).hex()
        return ""
