"""One group of one trigger: threshold, debounce, cooldown. The contract's algorithm, first half.

All times are monotonic seconds, but for those inside tallies.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

from notifyd.model.events import LINES_KEPT, AlertState, Event, Now
from notifyd.model.notifications import MatchSummary
from notifyd.shaping.rules import Limit, Rule
from notifyd.shaping.summaries import clip_event, merge_summaries, summarize

NEVER = 1e15
"""A monotonic time that does not come; JSON has no infinity."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that lasts. event: the one that began it. due: when to remind of it, monotonic.

    hold: the id of the mute's digest that counts it, if it fell into a mute. row: the id of the
    last reminder.
    """

    event: Event
    remind_at: float = NEVER
    reminders: int = 0
    mute_digest_id: str = ""
    reminder_id: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """What one group remembers.

    window: when the matches came that the threshold still counts; recent: the last of them.
    tally: what fired and was not told yet; since: when its first match came; due: when it is told.
    cooling: until when a cooldown lasts; cooldown: its length. seen: when the last match came.
    open: the id of a notification nobody has tried, which more matches may join; told: its tally.
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


def add_matches(group: Group, events: Sequence[Event], now: Now, rule: Rule) -> tuple[Group, int]:
    """Count matches that came at once; also returns how many earlier ones fell out of the window.

    Those that bring about a firing must be the last, unless the group waits already.
    """
    calm = group.cooldown and now.mono - group.last_match_at >= rule.cooldown_max
    group = replace(group, last_match_at=now.mono, cooldown=0.0 if calm else group.cooldown)
    counted_first = (
        events[0].alert_state is AlertState.NONE
    )  # a condition lasts or not: it needs no second one
    if counted_first and (rule.threshold > 1 or group.window):
        group, summary, below = _count_in_window(group, events, now, rule)
        if summary is None:
            return group, below
    else:
        summary, below = summarize(events), 0
    since = group.first_match_at if group.summary else now.mono
    due = _due_at(group, since, now, rule)
    return replace(
        group, summary=merge_summaries(group.summary, summary), first_match_at=since, due=due
    ), below


def _count_in_window(
    group: Group, events: Sequence[Event], now: Now, rule: Rule
) -> tuple[Group, MatchSummary | None, int]:
    """Have the threshold count matches; returns what fired, and how many fell out of the window."""
    summary: MatchSummary | None = None
    recent = group.window_events
    window = Limit(rule.threshold, rule.window).within(group.window, now.mono)
    below = len(group.window) - len(window)
    while events:
        lacking = max(1, rule.threshold - len(window))
        some, events = events[:lacking], events[lacking:]
        window += (now.mono,) * len(some)
        recent += tuple(map(clip_event, some[-LINES_KEPT:]))
        recent = recent[-min(LINES_KEPT, len(window)) :]
        if len(window) >= rule.threshold:
            summary = merge_summaries(summary, _summarize_window(window, recent, now))
            window, recent = (), ()
    return replace(group, window=window, window_events=recent), summary, below


def max_batch(group: Group, now: Now, rule: Rule) -> int | None:
    """Tell how many matches may be added at once; None means any number."""
    if group.summary is not None and not is_due(group, now):
        return None
    return max(1, rule.threshold - len(group.window))


def _due_at(group: Group, since: float, now: Now, rule: Rule) -> float:
    if now.mono < group.cooldown_until:
        return group.cooldown_until
    if group.summary and group.due <= group.cooldown_until:
        return group.due
    return min(now.mono + rule.debounce, since + rule.max_wait)


def _summarize_window(
    window: tuple[float, ...], recent: tuple[Event, ...], now: Now
) -> MatchSummary:
    summary = summarize(recent)
    return replace(summary, count=len(window), first=now.wall - (now.mono - window[0]))


def is_due(group: Group, now: Now) -> bool:
    return group.summary is not None and group.due <= now.mono


def start_cooldown(group: Group, now: Now, rule: Rule) -> Group:
    """Forget the tally that was just told, and cool down: twice as long if matches went on."""
    if not rule.cooldown:
        return replace(group, summary=None, cooldown_until=0.0, cooldown=0.0)
    went_on = group.summary is not None and group.due <= group.cooldown_until
    length = max(group.cooldown * 2 if went_on else group.cooldown, rule.cooldown)
    length = min(length, max(rule.cooldown, rule.cooldown_max))
    return replace(group, summary=None, cooldown_until=now.mono + length, cooldown=length)


def deadline(group: Group, rule: Rule) -> float:
    """When this group next needs to be looked at; never, while only its notification waits."""
    reminder = group.condition.remind_at if group.condition else inf
    if group.summary:
        return min(group.due, reminder)
    if group.window:
        return min(window_ends_at(group, rule), reminder)
    if group.open_id or group.condition:
        return reminder
    return max(
        group.cooldown_until, group.last_match_at + rule.cooldown_max if group.cooldown else 0.0
    )


def window_ends_at(group: Group, rule: Rule) -> float:
    """When the last match below the threshold leaves the window; never, without any."""
    return group.window[-1] + rule.window if group.window else inf


def is_idle(group: Group, now: Now, rule: Rule) -> bool:
    """Whether nothing would be lost with this group."""
    busy = group.summary or group.window or group.condition or group.open_id
    return not busy and deadline(group, rule) <= now.mono
