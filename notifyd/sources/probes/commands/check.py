"""What the result of a command means: its outcome, and the texts that report it."""

import json
import signal
from dataclasses import dataclass
from typing import Final

from notifyd.config.comparison import Comparison, as_number, parse_comparison
from notifyd.config.triggers import CommandTriggerConfig
from notifyd.config.values.system import SHELL
from notifyd.sources.probes.commands.perfdata import split_output
from notifyd.sources.probes.commands.runner import CommandResult
from notifyd.text.durations import format_duration
from notifyd.text.limits import clip
from notifyd.text.visible import visible_lines

_LINE_CLIP: Final = 500
_REASON_CLIP: Final = 160
"""Characters of what becomes part of a title."""
_DETAIL_CLIP: Final = 300
_DETAILS_KEPT: Final = 8
"""Lines after the first that are shown: the last ones, where errors are."""
_FIGURES_KEPT: Final = 10
_STATES: Final = (
    ("success", "OK"),
    ("warning", "WARNING"),
    ("critical", "CRITICAL"),
    ("unknown", "UNKNOWN"),
)
"""Outcome and name of the states of the Nagios plugin API, by exit status."""
_NOT_FOUND: Final = (126, 127)
"""Exit statuses of a shell that cannot start a command."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The outcome of a check: success, warning, critical, failure or unknown.

    line: its first line, or what stands for it if there is none. reason: why, in a few words, for
    the title. details: more of the output, and performance data. value: what was compared, the
    first figure, or the output to compare with the next one. status: of the exit, if there was one.
    """

    outcome: str
    line: str
    reason: str
    details: str = ""
    value: str = ""
    status: int | None = None

    @property
    def is_ok(self) -> bool:
        return self.outcome == "success"


class Check:
    """Evaluates the results of one trigger's command."""

    def __init__(self, config: CommandTriggerConfig) -> None:
        self._config = config
        self._comparison = parse_comparison(config.when) if config.when is not None else None

    def evaluate(self, result: CommandResult) -> CheckResult:
        """Return what a result means. Whatever says nothing of the check's subject is unknown."""
        if result.error:
            return CheckResult("unknown", result.error, clip(result.error, _REASON_CLIP))
        out, err = _visible(result.out), _visible(result.err)
        if result.status is None:
            reason = f"timed out after {format_duration(self._config.timeout)}"
            return _described("unknown", reason, out or err, None)
        if self._config.check == "nagios":
            return _nagios(result.status, out, err)
        if self._config.run[:2] == [*SHELL] and result.status in _NOT_FOUND:
            reason = f"a command cannot be started (status {result.status})"
            return _described("unknown", reason, err or out, result.status)
        if self._config.check == "exit":
            reason = _ending(result.status)
            outcome = "failure" if result.status else "success"
            return _described(outcome, reason, out or err, result.status)
        if result.status:
            return _described("unknown", _ending(result.status), err or out, result.status)
        if self._comparison is None:
            return CheckResult("success", _first(out), "", value=out, status=0)
        return _compared(self._comparison, _first(out))


def _nagios(status: int, out: str, err: str) -> CheckResult:
    if not 0 <= status < len(_STATES):
        return _described("unknown", _ending(status), out or err, status)
    outcome, name = _STATES[status]
    text, figures = split_output(out or err)
    first, _, rest = text.partition("\n")
    first = first.rstrip(" ;:,")
    line = first if name in first.upper() else f"{name} - {first or 'no output'}"
    shown = [str(figure) for figure in figures[:_FIGURES_KEPT]]
    if len(figures) > _FIGURES_KEPT:
        shown.append(f"and {len(figures) - _FIGURES_KEPT} more figures")
    details = "\n".join(filter(None, [_last_lines(rest), *shown]))
    value = f"{figures[0].value}{figures[0].unit}" if figures else ""
    line = clip(line, _LINE_CLIP)
    return CheckResult(outcome, line, clip(line, _REASON_CLIP), details, value, status)


def _compared(comparison: Comparison, text: str) -> CheckResult:
    shown = clip(text, _DETAIL_CLIP)
    holds = comparison.holds(_operand(comparison, text))
    if holds is None:
        reason = "no output" if not text else f'"{clip(text, 60)}" is no number'
        return CheckResult("unknown", shown or reason, reason, status=0)
    line = f"{shown} ({'' if holds else 'no longer '}{comparison.text})"
    outcome = "failure" if holds else "success"
    return CheckResult(outcome, line, clip(line, _REASON_CLIP), value=shown, status=0)


def _operand(comparison: Comparison, text: str) -> object:
    """Return the value in the type of what it is compared with."""
    if isinstance(comparison.operand, str):
        return text
    if not isinstance(comparison.operand, bool) and (number := as_number(text)) is not None:
        return number
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value


def _described(outcome: str, reason: str, output: str, status: int | None) -> CheckResult:
    first, _, rest = output.partition("\n")
    line = clip(first, _LINE_CLIP) or ("succeeded" if outcome == "success" else reason)
    return CheckResult(outcome, line, reason, _last_lines(rest), status=status)


def _ending(status: int) -> str:
    if status >= 0:
        return f"status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


def _visible(output: bytes) -> str:
    """Return the visible text of the lines that are not blank."""
    lines = visible_lines(output.replace(b"\0", b"")).decode("utf-8", "replace").split("\n")
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _first(text: str) -> str:
    return text.partition("\n")[0].strip()


def _last_lines(text: str) -> str:
    lines = text.splitlines()
    kept = [clip(line, _DETAIL_CLIP) for line in lines[-_DETAILS_KEPT:]]
    if len(lines) > len(kept):
        kept.insert(0, "…")
    return "\n".join(kept)
