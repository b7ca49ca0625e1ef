"""The title of what a resource trigger reports: the line says it all."""

from notifyd.model.notifications import ConditionReport, MatchSummary
from notifyd.triggers.default_text import default_body


def resource_title(summary: MatchSummary) -> str:
    """Return "disk /: 96% used, 3.1 GiB free (critical)" or "disk /: still critical"."""
    facts = summary.event.facts
    name = facts.get("name", "")
    match summary.condition_report:
        case ConditionReport.STILL_FIRING:
            return f"{name}: still {facts.get('outcome', '')}"
        case ConditionReport.FIRED_AND_RESOLVED:
            worst = "critical" if "critical" in summary.outcomes else "warning"
            return f"{name}: was {worst} for a while"
    return summary.event.line


def resource_body(summary: MatchSummary, now: float, title: str) -> str:
    """Return the default body, without the line if that is the title: what uses most, the limit."""
    body = default_body(summary, now)
    return body.removeprefix(f"{title}\n") if title == summary.event.line else body
