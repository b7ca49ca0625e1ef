"""The text of a notification where the trigger has no template of its own."""

import time
from collections.abc import Sequence

from notifyd.model.notifications import ConditionReport, MatchSummary

TIMES = "\N{MULTIPLICATION SIGN}"

_LINES = 5
_LINE_CLIP = 350
"""Characters of each line, so that several fit."""
_VALUE_EVENTS = ("changed", "comparison")
_PROCESS_EVENTS = {"exit": "ended", "start": "started"}
_CONDITION_REPORTS = {
    ConditionReport.FIRING: "began",
    ConditionReport.STILL_FIRING: "ongoing",
    ConditionReport.RESOLVED: "ended",
    ConditionReport.FIRED_AND_RESOLVED: "came and went",
}
_SILENCE_REPORTS = {
    ConditionReport.FIRING: "silent",
    ConditionReport.STILL_FIRING: "still silent",
    ConditionReport.RESOLVED: "no longer silent",
    ConditionReport.FIRED_AND_RESOLVED: "was silent for a while",
}


def format_time(wall: float, now: float) -> str:
    """Format a time as 14:03:22 in local time, with the date before it if that is not today."""
    then = time.localtime(wall)
    clock = time.strftime("%H:%M:%S", then)
    if then[:3] == time.localtime(now)[:3]:
        return clock
    return time.strftime("%Y-%m-%d ", then) + clock


def format_span(first: float, last: float, now: float) -> str:
    """Format times as "at 14:03:22" or "from 14:03:22 to 14:05:00"."""
    start, end = format_time(first, now), format_time(last, now)
    return f"at {end}" if start == end else f"from {start} to {end}"


def default_title(trigger: str, kind: str, group: Sequence[str], summary: MatchSummary) -> str:
    """Return "app-errors (db-1)", "uploads: created report.pdf", "training: failed"."""
    values = [value for value in group if value]
    if kind == "process" and len(values) == 1 and values[0] == summary.event.facts.get("name"):
        values = []  # the body names it
    head = f"{trigger} ({', '.join(values)})" if values else trigger
    if summary.condition_report:
        is_silence = summary.event.facts.get("event") == "stale"
        reports = _SILENCE_REPORTS if is_silence else _CONDITION_REPORTS
        return f"{head}: {reports[summary.condition_report]}"
    if kind == "file":
        return f"{head}: {_file_change(summary)}"
    if kind == "process":
        return f"{head}: {_process_event(summary)}"
    return head if summary.count == 1 else f"{head}: {summary.count} {TIMES}"


def default_body(summary: MatchSummary, now: float) -> str:
    """Return the last lines, the very last with its context, and the count with its times."""
    lines = list(summary.lines[-_LINES:]) or [summary.event.line]
    if len(lines) > 1:
        lines = [line if len(line) <= _LINE_CLIP else f"{line[:_LINE_CLIP]}…" for line in lines]
    facts = summary.event.facts
    context = [facts.get("before", ""), lines.pop(), facts.get("after", "")]
    if facts.get("event") in _VALUE_EVENTS:  # the line holds both values
        context = context[1:2]
    lines += [text for text in context if text]
    if summary.reminder:
        lines.append(f"Since {format_time(summary.first, now)}; reminder {summary.reminder}.")
    elif summary.count > 1:
        lines.append(f"{summary.count} {TIMES} {format_span(summary.first, summary.last, now)}")
    return "\n".join(lines)


def _file_change(summary: MatchSummary) -> str:
    if summary.count > 1:
        return f"{summary.count} changes"
    event = summary.event
    name = event.path.rstrip("/").rpartition("/")[2]
    return f"{event.facts.get('event', 'changed')} {name}".rstrip()


def _process_event(summary: MatchSummary) -> str:
    facts = summary.event.facts
    text = _PROCESS_EVENTS.get(facts.get("event", ""), "ended")
    failed = facts.get("event") == "failure" or facts.get("signal")
    if failed or facts.get("exit_code", "") not in ("", "0"):
        text = "failed"
    return text if summary.count == 1 else f"{text}, {summary.count} {TIMES}"
