"""What a notification says where the trigger's config says nothing."""

from collections.abc import Sequence

from notifyd.model.notifications import ConditionReport, MatchSummary
from notifyd.triggers.times import TIMES, moment, span

_LINES = 5
_LONGEST = 350
"""Characters of each line, so that several fit."""
_ENDINGS = {"exit": "ended", "start": "started"}
_COURSES = {
    ConditionReport.FIRING: "began",
    ConditionReport.STILL_FIRING: "still so",
    ConditionReport.RESOLVED: "over",
    ConditionReport.FIRED_AND_RESOLVED: "came and went",
}
_SILENCE = {
    ConditionReport.FIRING: "silent",
    ConditionReport.STILL_FIRING: "still silent",
    ConditionReport.RESOLVED: "no longer silent",
    ConditionReport.FIRED_AND_RESOLVED: "was silent for a while",
}


def title(trigger: str, kind: str, group: Sequence[str], summary: MatchSummary) -> str:
    """Write "app-errors (db-1)", "uploads: created report.pdf", "training: failed"."""
    named = [part for part in group if part]
    if kind == "process" and len(named) == 1 and named[0] == summary.event.facts.get("name"):
        named = []  # the body says it
    head = f"{trigger} ({', '.join(named)})" if named else trigger
    if summary.condition_report:
        silence = summary.event.facts.get("event") == "stale"
        return f"{head}: {(_SILENCE if silence else _COURSES)[summary.condition_report]}"
    if kind == "file":
        return f"{head}: {_change(summary)}"
    if kind == "process":
        return f"{head}: {_end(summary)}"
    return head if summary.count == 1 else f"{head}: {summary.count} {TIMES}"


def body(summary: MatchSummary, now: float) -> str:
    """Write the last lines, the latest with those around it, and how many there were since when."""
    lines = list(summary.lines[-_LINES:]) or [summary.event.line]
    if len(lines) > 1:
        lines = [line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…" for line in lines]
    facts = summary.event.facts
    around = [facts.get("before", ""), lines.pop(), facts.get("after", "")]
    lines += [text for text in around if text]
    if summary.reminder:
        lines.append(f"Since {moment(summary.first, now)}; reminder {summary.reminder}.")
    elif summary.count > 1:
        lines.append(f"{summary.count} {TIMES} {span(summary.first, summary.last, now)}")
    return "\n".join(lines)


def _change(summary: MatchSummary) -> str:
    if summary.count > 1:
        return f"{summary.count} changes"
    event = summary.event
    name = event.path.rstrip("/").rpartition("/")[2]
    return f"{event.facts.get('event', 'changed')} {name}".rstrip()


def _end(summary: MatchSummary) -> str:
    facts = summary.event.facts
    how = _ENDINGS.get(facts.get("event", ""), "ended")
    failed = facts.get("event") == "failure" or facts.get("signal")
    if failed or facts.get("exit_code", "") not in ("", "0"):
        how = "failed"
    return how if summary.count == 1 else f"{how}, {summary.count} {TIMES}"
