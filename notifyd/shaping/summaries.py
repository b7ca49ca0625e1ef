"""Summaries of matches, and digests. Lines are clipped to what a notification can hold."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce

from notifyd.model.events import LINES_KEPT, AlertState, Event
from notifyd.model.notifications import ConditionReport, Digest, MatchSummary
from notifyd.text.limits import clip

_CLIP = 2000
_OUTCOME_RANKS = {"unknown": 1, "failure": 2}
_NAMES_KEPT = 20
"""Values of one fact that are counted one by one."""
_REPORTS = {
    AlertState.NONE: ConditionReport.NONE,
    AlertState.FIRING: ConditionReport.FIRING,
    AlertState.RESOLVED: ConditionReport.RESOLVED,
}


def _clip(text: str) -> str:
    return clip(text, _CLIP)


def clip_event(event: Event) -> Event:
    """Clip the line and the fields of an event."""
    if len(event.line) <= _CLIP and all(len(value) <= _CLIP for value in event.fields.values()):
        return event
    fields = {name: _clip(value) for name, value in event.fields.items()}
    return event._replace(line=_clip(event.line), fields=fields)


def summarize_one(event: Event) -> MatchSummary:
    return summarize([event])


def summarize(events: Sequence[Event]) -> MatchSummary:
    """Summarize matches of one group in their order."""
    first, last = events[0], events[-1]
    outcomes = _count_values(events, "outcome")
    return MatchSummary(
        count=len(events),
        first=first.wall,
        last=max(event.wall for event in events),
        first_line=_clip(first.line),
        lines=tuple(_clip(event.line) for event in events[-LINES_KEPT:]),
        paths=tuple(dict.fromkeys(event.path for event in events if event.path))[:LINES_KEPT],
        event=clip_event(reduce(_worst_event, events) if outcomes else last),
        condition_report=_REPORTS[last.alert_state],
        kinds=_count_values(events, "event"),
        outcomes=outcomes,
    )


def _count_values(events: Sequence[Event], fact: str) -> Mapping[str, int]:
    return dict(Counter([event.facts[fact] for event in events if fact in event.facts]))


def _worst_event(earlier: Event, later: Event) -> Event:
    """Return the event to show of two: the later one, unless only the earlier is a failure.

    An unknown outcome is worse than success.
    """
    worse = _OUTCOME_RANKS.get(earlier.facts.get("outcome", ""), 0) > _OUTCOME_RANKS.get(
        later.facts.get("outcome", ""), 0
    )
    is_plain = later.alert_state is AlertState.NONE
    return earlier if worse and is_plain else later


def merge_summaries(earlier: MatchSummary | None, later: MatchSummary) -> MatchSummary:
    """Combine the summaries of two successive sets of matches of one group."""
    if earlier is None:
        return later
    if later.paths == earlier.paths:
        paths = earlier.paths
    else:
        paths = tuple(dict.fromkeys(earlier.paths + later.paths))[:LINES_KEPT]
    return MatchSummary(
        count=earlier.count + later.count,
        first=earlier.first,
        last=max(earlier.last, later.last),
        first_line=earlier.first_line,
        lines=(earlier.lines + later.lines)[-LINES_KEPT:],
        paths=paths,
        event=_worst_event(earlier.event, later.event),
        condition_report=_merge_reports(earlier.condition_report, later.condition_report),
        kinds=_add_counts(earlier.kinds, later.kinds),
        outcomes=_add_counts(earlier.outcomes, later.outcomes),
        is_overflow=earlier.is_overflow or later.is_overflow,
    )


def _add_counts(earlier: Mapping[str, int], later: Mapping[str, int]) -> Mapping[str, int]:
    if not later:
        return earlier
    total = dict(earlier)
    for name, count in later.items():
        if name in total or len(total) < _NAMES_KEPT:
            total[name] = total.get(name, 0) + count
    return total


def _merge_reports(earlier: ConditionReport, later: ConditionReport) -> ConditionReport:
    if later is ConditionReport.NONE:
        return earlier
    fired = earlier in (ConditionReport.FIRING, ConditionReport.FIRED_AND_RESOLVED)
    if fired and later is ConditionReport.RESOLVED:
        return ConditionReport.FIRED_AND_RESOLVED
    return later


def new_digest(reason: str, wall: float) -> Digest:
    return Digest(reason, {}, wall, wall, ())


def extend_digest(
    digest: Digest, counts: Mapping[str, int], wall: float, lines: Iterable[str] = ()
) -> Digest:
    """Add counts by trigger, and lines of which the last are kept."""
    total = dict(digest.counts)
    for trigger, count in counts.items():
        total[trigger] = total.get(trigger, 0) + count
    kept = (*digest.lines, *map(_clip, lines))[-LINES_KEPT:]
    return Digest(digest.reason, total, digest.first, max(digest.last, wall), kept)
