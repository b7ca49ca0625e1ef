"""One group of one trigger: threshold, debounce, cooldown. The first half of the shaping.

Times are seconds on the monotonic line, except inside summaries and events.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

from notifyd.model.events import LINES_KEPT, AlertState, Event, Now, severity_of
from notifyd.model.notifications import ConditionReport, MatchSummary
from notifyd.model.persistence import Persistence
from notifyd.shaping.rules import Limit, Rule
from notifyd.shaping.summaries import clip_event, merge_summaries, summarize

NEVER = 1e15
"""A monotonic time that never comes; JSON has no infinity."""

_BEGINNINGS = (ConditionReport.FIRING, ConditionReport.FIRED_AND_RESOLVED)

OTHERS = "(others)"
"""The values of the group that matches share once a trigger has `max_groups` groups."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that is firing. event: the one that began it.

    remind_at: when the next reminder is due. mute_digest_id: the digest that counts the beginning,
    if that fell into a mute. reminder_id: the last reminder.
    """

    event: Event
    remind_at: float = NEVER
    reminders: int = 0
    mute_digest_id: str = ""
    reminder_id: str = ""


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of a condition's state that does not count yet: it must last, or be seen again.

    event: the last one that reported the new state. since: when the wait for it began. count: how
    often in a row it was reported.
    """

    event: Event
    since: float
    count: int = 1

    def is_confirmed(self, persistence: Persistence, now: float) -> bool:
        """Whether the new state has lasted long enough, and was reported often enough."""
        return self.count >= persistence.times and now >= self.since + persistence.seconds


@dataclass(frozen=True, slots=True)
class Group:
    """The matches of one trigger with the same values of `group_by`.

    window: times of the matches below the threshold. window_events: the last of these matches.
    summary: matches that reached the threshold and are in no notification yet; first_match_at:
    when the first of them came; due: when they are reported.
    cooldown_until: when the cooldown ends; cooldown: its length in seconds; base_cooldown: the
    rule's `cooldown` when it began; severity: the highest of what was reported then.
    open_id: the notification, never attempted, that later matches join; open_summary: its matches.
    transition: a change of the condition that waits for `for` or `clear`.
    """

    trigger: str
    values: tuple[str, ...]
    identity: str
    window: tuple[float, ...] = ()
    window_events: tuple[Event, ...] = ()
    summary: MatchSummary | None = None
    first_match_at: float = 0.0
    due: float = 0.0
    cooldown_until: float = 0.0
    cooldown: float = 0.0
    last_match_at: float = 0.0
    open_id: str = ""
    open_summary: MatchSummary | None = None
    condition: Condition | None = None
    transition: Transition | None = None
    severity: int = 0
    base_cooldown: float = 0.0

    @property
    def is_overflow(self) -> bool:
        """Whether it stands for all groups beyond `max_groups`."""
        return bool(self.values) and all(value == OTHERS for value in self.values)


def add_matches(group: Group, events: Sequence[Event], now: Now, rule: Rule) -> tuple[Group, int]:
    """Count matches that came at once; also returns how many earlier ones left the window.

    events: at most `max_batch` of them.
    """
    quiet = group.cooldown and now.mono - group.last_match_at >= rule.cooldown_max
    group = replace(group, last_match_at=now.mono, cooldown=0.0 if quiet else group.cooldown)
    has_threshold = rule.threshold > 1 or group.window
    if has_threshold and events[0].alert_state is AlertState.NONE:  # conditions have none
        group, summary, below = _count_in_window(group, events, now, rule)
        if summary is None:
            return group, below
    else:
        summary, below = summarize(events), 0
    if group.is_overflow:
        summary = replace(summary, is_overflow=True)
    first_match_at = group.first_match_at if group.summary else now.mono
    group = replace(
        group,
        summary=merge_summaries(group.summary, summary),
        first_match_at=first_match_at,
        due=_due_at(group, summary, first_match_at, now, rule),
    )
    return group, below


def _count_in_window(
    group: Group, events: Sequence[Event], now: Now, rule: Rule
) -> tuple[Group, MatchSummary | None, int]:
    """Count towards the threshold; returns what reached it, and how many left the window."""
    summary: MatchSummary | None = None
    recent = group.window_events
    window = Limit(rule.threshold, rule.window).within(group.window, now.mono)
    below = len(group.window) - len(window)
    while events:
        missing = max(1, rule.threshold - len(window))
        batch, events = events[:missing], events[missing:]
        window += (now.mono,) * len(batch)
        recent += tuple(map(clip_event, batch[-LINES_KEPT:]))
        recent = recent[-min(LINES_KEPT, len(window)) :]
        if len(window) >= rule.threshold:
            summary = merge_summaries(summary, _summarize_window(window, recent, now))
            window, recent = (), ()
    return replace(group, window=window, window_events=recent), summary, below


def _summarize_window(
    window: tuple[float, ...], recent: tuple[Event, ...], now: Now
) -> MatchSummary:
    summary = summarize(recent)
    return replace(summary, count=len(window), first=now.wall - (now.mono - window[0]))


def max_batch(group: Group, events: Sequence[Event], now: Now, rule: Rule) -> int | None:
    """Return how many of these matches may be added at once; None for all of them.

    Whatever makes the group due must be the last of its batch.
    """
    if group.summary is not None and not is_due(group, now) and not _may_rise(group, events, now):
        return None
    return max(1, rule.threshold - len(group.window))


def _may_rise(group: Group, events: Sequence[Event], now: Now) -> bool:
    """Return whether an event is severe enough to make a group due before its cooldown ends."""
    if now.mono >= group.cooldown_until or "outcome" not in events[0].facts:
        return False
    if group.summary and _severity(group.summary) > group.severity:
        return False  # it is debouncing
    return any(event.severity > group.severity for event in events)


def _due_at(
    group: Group, summary: MatchSummary, first_match_at: float, now: Now, rule: Rule
) -> float:
    if now.mono < group.cooldown_until:
        if group.summary and _severity(group.summary) > group.severity:
            return group.due  # a rise is debouncing
        if _severity(summary) > group.severity:
            return min(now.mono + rule.debounce, group.cooldown_until)
        return group.cooldown_until
    if group.summary and group.due <= group.cooldown_until:
        return group.due
    return min(now.mono + rule.debounce, first_match_at + rule.max_wait)


def _severity(summary: MatchSummary) -> int:
    """Return the highest severity of a summary's outcomes, and 1 for silence or a standstill."""
    has_begun = summary.condition_report in _BEGINNINGS and not summary.outcomes
    return 1 if has_begun else severity_of(summary.outcomes)


def is_due(group: Group, now: Now) -> bool:
    """Whether matches are to be reported by now."""
    return group.summary is not None and group.due <= now.mono


def start_cooldown(group: Group, now: Now, rule: Rule) -> Group:
    """Drop the summary that was reported and cool down, twice as long if matches continued.

    A rise in severity during the cooldown does not double it.
    """
    if not rule.cooldown:
        return replace(group, summary=None, cooldown_until=0.0, cooldown=0.0)
    severity = _severity(group.summary) if group.summary else group.severity
    rose = now.mono < group.cooldown_until and severity > group.severity
    went_on = group.summary is not None and group.due <= group.cooldown_until and not rose
    length = max(group.cooldown * 2 if went_on else group.cooldown, rule.cooldown)
    length = min(length, max(rule.cooldown, rule.cooldown_max))
    return replace(
        group,
        summary=None,
        cooldown_until=now.mono + length,
        cooldown=length,
        severity=severity,
        base_cooldown=rule.cooldown,
    )


def shorten_cooldown(group: Group, rule: Rule) -> Group:
    """Apply a shorter `cooldown` or `cooldown_max` to a cooldown as if it had begun with it.

    A longer one counts from the next cooldown on.
    """
    if not group.base_cooldown:
        return group
    length = rule.cooldown * group.cooldown / group.base_cooldown
    length = min(length, max(rule.cooldown, rule.cooldown_max), group.cooldown)
    if length == group.cooldown:
        return group
    until = group.cooldown_until - group.cooldown + length
    waits_for_end = group.summary is not None and group.due == group.cooldown_until
    return replace(
        group,
        due=until if waits_for_end else group.due,
        cooldown_until=until,
        cooldown=length,
        base_cooldown=rule.cooldown,
    )


def deadline(group: Group, rule: Rule) -> float:
    """Return when the group needs a step without a match; infinite if never."""
    remind_at = group.condition.remind_at if group.condition else inf
    remind_at = min(remind_at, confirmed_at(group, rule))
    if group.summary:
        return min(group.due, remind_at)
    if group.window:
        return min(window_ends_at(group, rule), remind_at)
    if group.open_id or group.condition or group.transition:
        return remind_at
    quiet_at = group.last_match_at + rule.cooldown_max if group.cooldown else 0.0
    return max(group.cooldown_until, quiet_at)


def persistence_of(group: Group, rule: Rule) -> Persistence:
    """Return what a change of the group's condition must satisfy: its end, or its beginning.

    A rise in severity must satisfy the same as the beginning, a fall the same as the end.
    """
    if group.transition is not None:
        begins = is_rise(group, group.transition.event)
    else:
        begins = group.condition is None
    return rule.begin_after if begins else rule.end_after


def is_rise(group: Group, event: Event) -> bool:
    """Whether an event says that the group's condition begins, or has a higher severity."""
    if event.alert_state is not AlertState.FIRING:
        return False
    return group.condition is None or event.severity > group.condition.event.severity


def confirmed_at(group: Group, rule: Rule) -> float:
    """Return when the group's transition is confirmed by time alone; infinite if never."""
    if group.transition is None:
        return inf
    persistence = persistence_of(group, rule)
    if group.transition.count < persistence.times:
        return inf
    return group.transition.since + persistence.seconds


def restarted_wait(group: Group, now: Now) -> Group:
    """Return a group whose transition, if it has one, begins its wait now."""
    if group.transition is None:
        return group
    return replace(group, transition=replace(group.transition, since=now.mono))


def window_ends_at(group: Group, rule: Rule) -> float:
    """Return when the last match leaves the window; infinite if it is empty."""
    return group.window[-1] + rule.window if group.window else inf


def is_idle(group: Group, now: Now, rule: Rule) -> bool:
    """Whether the group can be forgotten without losing anything."""
    busy = group.summary or group.window or group.condition or group.open_id or group.transition
    return not busy and deadline(group, rule) <= now.mono
