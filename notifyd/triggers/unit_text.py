"""The text of a notification about a unit of systemd, where the trigger has no template."""

from collections.abc import Mapping, Sequence

from notifyd.model.notifications import ConditionReport, MatchSummary
from notifyd.triggers.default_text import default_body, format_time


def unit_title(trigger: str, group: Sequence[str], summary: MatchSummary) -> str:
    """Return "nginx.service failed: status 42", "nginx.service runs again", "web: 3 started"."""
    event = summary.event
    facts, unit = event.facts, event.facts.get("unit", "")
    what = event.line.removeprefix(f"{unit} ")
    match summary.condition_report:
        case ConditionReport.FIRING:
            return f"{unit} {_failure(facts)}"
        case ConditionReport.STILL_FIRING:
            return f"{unit} still {_failure(facts)}"
        case ConditionReport.FIRED_AND_RESOLVED:
            return f"{unit} failed, {what}"
        case ConditionReport.RESOLVED:
            return event.line
    if summary.count > 1:
        counts = ", ".join(f"{count} {kind}" for kind, count in summary.kinds.items())
        return f"{unit if unit in group else trigger}: {counts}"
    return f"{unit} {_failure(facts)}" if facts.get("event") == "failed" else event.line


def unit_body(summary: MatchSummary, now: float, title: str) -> str:
    """Return how the unit ended and the last lines of its journal; else when it happened."""
    body = default_body(summary, now)
    return f"At {format_time(summary.last, now)}" if body == title else body


def _failure(facts: Mapping[str, str]) -> str:
    """Return "failed 5 times: status 42"."""
    failures = facts.get("failures", "")
    times = "" if failures in ("", "0", "1") else f" {failures} times"
    if facts.get("outcome") == "unknown":
        return f"was restarted{times}"
    reason = facts.get("reason")
    return f"failed{times}: {reason}" if reason else f"failed{times}"
