"""The text of a notification about a heartbeat, where the trigger has no template of its own."""

from contextlib import suppress

from notifyd.model.notifications import ConditionReport, MatchSummary
from notifyd.text.durations import format_rough
from notifyd.triggers.default_text import format_time


def heartbeat_title(trigger: str, summary: MatchSummary, now: float) -> str:
    """Return "backup: no ping for 26h (expected every 24h)", "backup: failed, status 3"."""
    line = summary.event.line
    match summary.condition_report:
        case ConditionReport.STILL_FIRING:
            return f"{trigger}: still {_ongoing(summary, now)}"
        case ConditionReport.FIRED_AND_RESOLVED:
            return f"{trigger}: was down, {line}"
    return f"{trigger}: {line}"


def _ongoing(summary: MatchSummary, now: float) -> str:
    """Return what lasts, with the time that has elapsed by now."""
    facts = summary.event.facts
    with suppress(KeyError, ValueError, IndexError):
        elapsed = float(facts["duration"]) + max(0.0, now - summary.first)
        return facts["ongoing"].format(format_rough(elapsed))
    return f"failing ({summary.event.line})"


def heartbeat_body(summary: MatchSummary, now: float) -> str:
    """Return when the last ping came, and the end of the job's output."""
    facts, lines = summary.event.facts, []
    is_missing = facts.get("event") == "missing"
    if summary.condition_report is ConditionReport.FIRED_AND_RESOLVED:
        lines.append(summary.first_line)
    elif is_missing and (pinged := facts.get("last_ping")):
        with suppress(ValueError):
            lines.append(f"Last ping {format_time(float(pinged), now)}")
    if output := facts.get("after"):
        lines.append(f"Last output:\n{output}" if is_missing else output)
    if summary.reminder:
        lines.append(f"Since {format_time(summary.first, now)}; reminder {summary.reminder}.")
    return "\n".join(lines) or f"At {format_time(summary.last, now)}"
