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


def title(trigger: str, kind: str, group: Sequence[str], tally: MatchSummary) -> str:
    """Write "app-errors (db-1)", "uploads: created report.pdf", "training: failed"."""
    named = [part for part in group if part]
    if kind == "process" and len(named) == 1 and named[0] == tally.event.facts.get("name"):
        named = []  # the body says it
    head = f"{trigger} ({', '.join(named)})" if named else trigger
    if tally.condition_report:
        silence = tally.event.facts.get("event") == "stale"
        return f"{head}: {(_SILENCE if silence else _COURSES)[tally.condition_report]}"
    if kind == "file":
        return f"{head}: {_change(tally)}"
    if kind == "process":
        return f"{head}: {_end(tally)}"
    return head if tally.count == 1 else f"{head}: {tally.count} {TIMES}"


def body(tally: MatchSummary, now: float) -> str:
    """Write the last lines, the latest with those around it, and how many there were since when."""
    lines = list(tally.lines[-_LINES:]) or [tally.event.line]
    if len(lines) > 1:
        lines = [line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…" for line in lines]
    facts = tally.event.facts
    around = [facts.get("before", ""), lines.pop(), facts.get("after", "")]
    lines += [text for text in around if text]
    if tally.reminder:
        lines.append(f"Since {moment(tally.first, now)}; reminder {tally.reminder}.")
    elif tally.count > 1:
        lines.append(f"{tally.count} {TIMES} {span(tally.first, tally.last, now)}")
    return "\n".join(lines)


def _change(tally: MatchSummary) -> str:
    if tally.count > 1:
        return f"{tally.count} changes"
    event = tally.event
    name = event.path.rstrip("/").rpartition("/")[2]
    return f"{event.facts.get('event', 'changed')} {name}".rstrip()


def _end(tally: MatchSummary) -> str:
    facts = tally.event.facts
    how = _ENDINGS.get(facts.get("event", ""), "ended")
    failed = facts.get("event") == "failure" or facts.get("signal")
    if failed or facts.get("exit_code", "") not in ("", "0"):
        how = "failed"
    return how if tally.count == 1 else f"{how}, {tally.count} {TIMES}"
