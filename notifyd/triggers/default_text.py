"""The text of a notification where the trigger has no template of its own."""

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence

from notifyd.model.events import Event
from notifyd.model.notifications import ConditionReport, MatchSummary
from notifyd.text.limits import clip
from notifyd.text.traces import exceptions_of

TIMES = "\N{MULTIPLICATION SIGN}"

_BODY_ROOM = 1700
"""Characters of the lines of a default body: the rest of it and the data need some room too."""
_BYTES_PER_CHARACTER = 1.4
"""Of the body as JSON. A text with more bytes than this is measured by its bytes."""
_LINE_CLIP = 351
"""Characters of each line, with the ellipsis, so that several fit."""
_VALUE_EVENTS = ("changed", "comparison")
_RULE_CHARACTERS = "=-_*#~+─━═"
_SHORTEST_RULE = 8
_RULE_AT_START = re.compile(
    rf"\s*(?P<rule>[{re.escape(_RULE_CHARACTERS)}])(?P=rule){{{_SHORTEST_RULE - 1},}}\s*"
)
_OUTCOMES = {"failure": "failed", "unknown": "with unknown status", "success": "succeeded"}
"""The worst first."""
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
    """Return "app-errors (db-1)", "uploads: created report.pdf", "training failed: status 1"."""
    values = [value for value in group if value]
    if kind == "process":
        facts = summary.event.facts
        values = [value for value in values if value != facts.get("outcome")]
        if values == [facts.get("name")]:
            values = []  # the body names it
    head = f"{trigger} ({', '.join(values)})" if values else trigger
    if summary.condition_report:
        if summary.event.facts.get("event") == "stalled":
            return f"{head}: {_progress_report(summary)}"
        is_silence = summary.event.facts.get("event") == "stale"
        reports = _SILENCE_REPORTS if is_silence else _CONDITION_REPORTS
        return f"{head}: {reports[summary.condition_report]}"
    if kind == "file":
        return f"{head}: {_file_change(summary)}"
    if kind == "process":
        if summary.count > 1:
            return f"{head}: {_process_counts(summary)}"
        return f"{head} {_process_event(summary.event.facts)}"
    return head if summary.count == 1 else f"{head}: {summary.count} {TIMES}"


def _progress_report(summary: MatchSummary) -> str:
    """Return "stalled at 42%", "still stalled at 7/10", "moving again at 43%"."""
    value = summary.event.facts.get("value", "")
    at = f" at {value}" if value else ""
    match summary.condition_report:
        case ConditionReport.FIRING:
            return f"stalled{at}"
        case ConditionReport.STILL_FIRING:
            return f"still stalled{at}"
        case ConditionReport.FIRED_AND_RESOLVED:
            return "was stalled for a while"
    return f"moving again{at}"


def overflow_title(trigger: str, max_groups: int, summary: MatchSummary) -> str:
    """Return the title of a notification for all groups beyond `max_groups`."""
    return f"{trigger}: {summary.count} in other groups (more than max_groups = {max_groups})"


def default_body(summary: MatchSummary, now: float) -> str:
    """Return the distinct lines that fit, newest first, and the count with its times.

    The newest has its context. Where the matches have outcomes, the worst comes before it. Of a
    trace the exceptions are shown, newest first, and where that one was raised. Lines of the
    context are not repeated. What does not fit is counted: "and 2 more".
    """
    facts, kept = summary.event.facts, _kept_lines(summary)
    last = kept[-1]
    if any(line != last for line in kept):
        last = clip(last, _LINE_CLIP)
    context = [facts.get("before", ""), _with_frame(last, summary.event), facts.get("after", "")]
    if facts.get("event") in _VALUE_EVENTS:  # the line holds both values
        context = context[1:2]
    if "pid" in facts and summary.count == 1:  # the title says how the job ended, its log why
        context = ["", context[2], context[1]]
    latest = "\n".join(text for text in context if text)
    shown = {kept[-1], *context[0].splitlines()}
    earlier = fitting_lines(
        [line for line in kept if line not in shown], _BODY_ROOM - _size(latest), _LINE_CLIP
    )
    shown |= set(earlier)
    lines = [latest, *(clip(line, _LINE_CLIP) for line in earlier)]
    hidden = summary.count - sum(line in shown and any(_undecorated(line)) for line in kept)
    is_uniform = {_without_frames(summary.first_line), *kept} == {kept[-1]}
    if hidden > 0 and not is_uniform:
        lines.append(f"and {hidden} more")
    if summary.reminder:
        lines.append(f"Since {format_time(summary.first, now)}; reminder {summary.reminder}.")
    elif summary.count > 1:
        lines.append(f"{summary.count} {TIMES} {format_span(summary.first, summary.last, now)}")
    text = "\n".join(lines)
    return "\n".join(_undecorated(text)) or text


def _undecorated(text: str) -> Iterator[str]:
    """Yield the lines without rules around them, which fill a phone: "===== 1 failed ====="."""
    for line in text.split("\n"):
        rule = _RULE_AT_START.match(line)
        if rule is None:
            yield line
        elif text := _without_rule_at_end(line[rule.end() :].rstrip()):
            yield text


def _without_rule_at_end(text: str) -> str:
    """Remove a rule at the end of a line, in linear time: any program may write the line."""
    last = text[-1:]
    before = text.rstrip(last)
    is_rule = last in _RULE_CHARACTERS and len(text) - len(before) >= _SHORTEST_RULE
    return before.rstrip() if is_rule and before[-1:].isspace() else text


def _kept_lines(summary: MatchSummary) -> tuple[str, ...]:
    """Return the lines of a summary, traces without frames. The last one represents the matches."""
    facts, line = summary.event.facts, summary.event.line
    kept = tuple(map(_without_frames, summary.lines or (line,)))
    if summary.outcomes:
        kept = (*sorted(kept, key=lambda each: each == line),)
        kept = kept if kept[-1] == line else (*kept, line)
    if trace := facts.get("trace"):
        kept = (*kept[:-1], trace)
    return kept


def _with_frame(line: str, event: Event) -> str:
    """Add to a trace, below its newest exception, where that was raised, if there is room."""
    frame = event.facts.get("frame", "")
    if not frame or len(line) > _BODY_ROOM - len(frame):
        return line
    lines = line.split("\n")
    lines.insert(1 + (lines[0] == event.line), f"at {frame}")  # below the message of a JSON line
    return "\n".join(lines)


def _without_frames(line: str) -> str:
    """Return the exceptions of a trace; any other line as it is."""
    return "\n".join(exceptions_of(line)) or line


def fitting_lines(lines: Sequence[str], room: float, line_clip: int) -> list[str]:
    """Return distinct lines, the last first: those that fit into `room` once clipped."""
    fitting: list[str] = []
    for line in dict.fromkeys(reversed(lines)):
        room -= _size(clip(line, line_clip)) + 1
        if room < 0:
            break
        fitting.append(line)
    return fitting


def _size(text: str) -> float:
    """Return the characters of a text, or more if it has many bytes as JSON."""
    size = len(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace"))
    return max(len(text), size / _BYTES_PER_CHARACTER)


def _format_counts(counts: Mapping[str, int]) -> str:
    """Format counts as "78 created, 2 deleted", the largest first."""
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{count} {name}" for name, count in ordered)


def _file_change(summary: MatchSummary) -> str:
    if summary.count > 1:
        is_complete = sum(summary.kinds.values()) == summary.count
        return _format_counts(summary.kinds) if is_complete else f"{summary.count} changes"
    event = summary.event
    name = event.path.rstrip("/").rpartition("/")[2]
    return f"{event.facts.get('event', 'changed')} {name}".rstrip()


def _process_counts(summary: MatchSummary) -> str:
    """Return "1 failed, 2 succeeded"."""
    counts = [(summary.outcomes.get(name, 0), text) for name, text in _OUTCOMES.items()]
    counts.append((summary.kinds.get("start", 0), "started"))
    text = ", ".join(f"{count} {text}" for count, text in counts if count)
    return text or f"{summary.count} {TIMES}"


def _process_event(facts: Mapping[str, str]) -> str:
    """Return "failed: status 3", "killed by SIGKILL", "ended"."""
    if facts.get("event") == "start":
        return "started"
    if cause := facts.get("cause"):
        return f"killed: {cause}"
    if signal := facts.get("signal"):
        return f"killed by {signal}"
    match facts.get("outcome") or facts.get("event"):
        case "failure":
            return f"failed: status {facts['exit_code']}" if facts.get("exit_code") else "failed"
        case "unknown":
            return "ended, status unknown"
    return "ended"
