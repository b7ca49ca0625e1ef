"""The text of a notification about a check that a command makes: its first line says the result."""

from collections.abc import Sequence

from notifyd.model.notifications import ConditionReport, MatchSummary
from notifyd.text.durations import format_duration
from notifyd.triggers.default_text import TIMES, format_span, format_time

_SHOWN_IN_TITLE = ("nagios", "value")
"""The kinds of checks whose line is what a person wants to read first."""


def check_title(trigger: str, group: Sequence[str], summary: MatchSummary) -> str:
    """Return "disk: CRITICAL - /var 97% full", "backup failed: status 1", "backup recovered"."""
    values = [value for value in group if value]
    head = f"{trigger} ({', '.join(values)})" if values else trigger
    facts, report = summary.event.facts, summary.condition_report
    reason = facts.get("reason") or summary.event.line
    shows_line = facts.get("check") in _SHOWN_IN_TITLE
    match report:
        case ConditionReport.NONE:
            return f"{head}: changed" + (f" {summary.count} {TIMES}" if summary.count > 1 else "")
        case ConditionReport.RESOLVED:
            lasted = _format_seconds(facts.get("duration", ""))
            text = f"{head} recovered" + (f" after {lasted}" if lasted else "")
            return f"{text}: {reason}" if shows_line else text
        case ConditionReport.FIRED_AND_RESOLVED:
            was_unknown = not summary.outcomes.keys() - {"success", "unknown"}
            return f"{head} {'was unknown' if was_unknown else 'failed'} and recovered"
    is_reminder = report is ConditionReport.STILL_FIRING
    if facts.get("outcome") == "unknown" and "UNKNOWN" not in reason.upper():
        return f"{head} {'still ' if is_reminder else ''}unknown: {reason}"
    if shows_line:
        return f"{head}{' still' if is_reminder else ''}: {reason}"
    return f"{head} {'still failing' if is_reminder else 'failed'}: {reason}"


def check_body(summary: MatchSummary, now: float) -> str:
    """Return what the title leaves out: the first line, more of the output, figures, times."""
    event, report = summary.event, summary.condition_report
    if report in (ConditionReport.NONE, ConditionReport.FIRED_AND_RESOLVED):
        lines = list(dict.fromkeys([*summary.lines, event.line]))
    else:
        is_in_title = event.line == event.facts.get("reason")
        lines = [] if is_in_title else [event.line]
    if details := event.facts.get("after"):
        lines.append(details)
    if summary.reminder:
        lines.append(f"Since {format_time(summary.first, now)}; reminder {summary.reminder}.")
    elif report is ConditionReport.FIRED_AND_RESOLVED:
        lines.append(format_span(summary.first, summary.last, now).capitalize())
    elif summary.count > 1:
        lines.append(f"{summary.count} {TIMES} {format_span(summary.first, summary.last, now)}")
    return "\n".join(lines) or format_span(summary.first, summary.last, now).capitalize()


def _format_seconds(text: str) -> str:
    try:
        return format_duration(float(text))
    except ValueError:
        return ""
