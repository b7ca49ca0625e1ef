"""The events that a change of a unit makes, and their texts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from notifyd.model.events import ENDED_QUIETLY, AlertState, Event
from notifyd.sources.units.status import UnitStatus
from notifyd.sources.units.watch import Change, ChangeKind
from notifyd.text.durations import format_duration

_LATE: Final = " (noticed late)"
_TEXTS: Final = {
    ChangeKind.STARTED: "started",
    ChangeKind.STOPPED: "stopped",
    ChangeKind.FINISHED: "finished",
}


@dataclass(frozen=True, slots=True)
class UnitReporter:
    """What one trigger reports. on: as configured. resolve: whether it reports recoveries.

    counts: how often a state is repeated, so that `for` and `clear` can count it.
    """

    trigger: str
    on: frozenset[str]
    resolve: bool = True
    counts: int = 1

    def events(self, change: Change, wall: float, log_lines: str = "") -> list[Event]:
        """Return the events of a change. log_lines: what the unit last wrote to the journal."""
        match change.kind:
            case ChangeKind.FAILED:
                return self._failed(change, wall, log_lines)
            case ChangeKind.RECOVERED | ChangeKind.FORGOTTEN:
                return self._ended(change, wall)
            case ChangeKind.STARTED:
                is_reported = "started" in self.on
            case _:
                is_reported = "stopped" in self.on
        if not is_reported or (change.is_part_of_failure and "failed" in self.on and self.resolve):
            return []
        text = _TEXTS[change.kind]
        event = "started" if change.kind is ChangeKind.STARTED else "stopped"
        return [self._event(change, wall, f"{change.status.unit} {text}", {"event": event})]

    def _failed(self, change: Change, wall: float, log_lines: str) -> list[Event]:
        status = change.status
        facts = {
            "event": "failed",
            "outcome": "unknown" if change.is_cause_unknown else "failure",
            "reason": "" if change.is_cause_unknown else status.reason,
            "failures": str(change.failures),
            "restarts": str(status.restarts),
            "after": log_lines,
        }
        if not (change.is_cause_unknown or status.is_up):
            facts |= _exit_facts(status)
        line = describe_failure(change)
        if "failed" in self.on:
            times = min(max(1, change.failures), self.counts)
            return [self._event(change, wall, line, facts, AlertState.FIRING)] * times
        if "stopped" in self.on and not change.is_restarting:
            return [self._event(change, wall, line, facts)]
        return []

    def _ended(self, change: Change, wall: float) -> list[Event]:
        if "failed" not in self.on:
            return []
        status = change.status
        facts = {"event": "recovered", "failures": str(change.failures)}
        if change.kind is ChangeKind.FORGOTTEN:
            facts["event"], text = ENDED_QUIETLY, "is no longer failed"
        elif status.is_up:
            text = "runs again"
        else:
            text = "succeeded"
        line = f"{status.unit} {text}"
        return [self._event(change, wall, line, facts, AlertState.RESOLVED)] * self.counts

    def _event(
        self,
        change: Change,
        wall: float,
        line: str,
        facts: Mapping[str, str],
        state: AlertState = AlertState.NONE,
    ) -> Event:
        if change.was_missed:
            line, wall = f"{line}{_LATE}", change.status.changed_wall or wall
        known = {name: value for name, value in facts.items() if value}
        facts = {"unit": change.status.unit, **known}
        return Event(self.trigger, wall, line, facts=facts, alert_state=state)


def describe_failure(change: Change) -> str:
    """Return "web.service: main process exited with status 42 after 3s; 5 failures in 1.3s".

    Of failures that were missed and are over, no more than their number is known.
    """
    status = change.status
    if status.is_up or change.is_cause_unknown:
        times = "once" if change.failures == 1 else f"{change.failures} times"
        cause = "" if change.is_cause_unknown else " after it failed"
        return f"{status.unit}: restarted {times} by systemd{cause}"
    text = f"{status.unit}: {status.description}"
    if status.duration is not None:
        text += f" after {_format_span(status.duration)}"
    if change.failures > 1:
        text += f"; {change.failures} failures"
        text += f" in {_format_span(change.span)}" if change.span else ""
    if change.has_given_up:
        return f"{text}; systemd gave up restarting it"
    return f"{text}; systemd restarts it" if change.is_restarting else text


def _exit_facts(status: UnitStatus) -> dict[str, str]:
    return {
        "exit_code": "" if status.exit_code is None else str(status.exit_code),
        "signal": status.signal,
        "result": status.result,
        "duration": "" if status.duration is None else _format_span(status.duration),
    }


def _format_span(seconds: float) -> str:
    """Format a time without more digits than a person wants to read."""
    digits = 3 if seconds < 1 else 1 if seconds < 10 else 0  # noqa: PLR2004 - see above
    return format_duration(round(seconds, digits))
