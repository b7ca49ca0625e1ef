"""One group of one trigger: threshold, debounce, cooldown. The contract's algorithm, first half.

All times are monotonic seconds, but for those inside tallies.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

from notifyd.model.events import LINES_KEPT, AlertState, Event, Now
from notifyd.model.notifications import MatchSummary
from notifyd.shaping.rules import Limit, Rule
from notifyd.shaping.summaries import clipped, joined, together

NEVER = 1e15
"""A monotonic time that does not come; JSON has no infinity."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A condition that lasts. event: the one that began it. due: when to remind of it, monotonic.

    hold: the id of the mute's digest that counts it, if it fell into a mute. row: the id of the
    last reminder.
    """

    event: Event
    due: float = NEVER
    reminders: int = 0
    hold: str = ""
    row: str = ""


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
    recent: tuple[Event, ...] = ()
    tally: MatchSummary | None = None
    since: float = 0.0
    due: float = 0.0
    cooling: float = 0.0
    cooldown: float = 0.0
    seen: float = 0.0
    open: str = ""
    told: MatchSummary | None = None
    alarm: Alarm | None = None


def added(group: Group, events: Sequence[Event], now: Now, rule: Rule) -> tuple[Group, int]:
    """Count matches that came at once; also returns how many earlier ones fell out of the window.

    Those that bring about a firing must be the last, unless the group waits already.
    """
    calm = group.cooldown and now.mono - group.seen >= rule.cooldown_max
    group = replace(group, seen=now.mono, cooldown=0.0 if calm else group.cooldown)
    counted_first = (
        events[0].alert_state is AlertState.NONE
    )  # a condition lasts or not: it needs no second one
    if counted_first and (rule.threshold > 1 or group.window):
        group, tally, below = _through_window(group, events, now, rule)
        if tally is None:
            return group, below
    else:
        tally, below = together(events), 0
    since = group.since if group.tally else now.mono
    due = _due(group, since, now, rule)
    return replace(group, tally=joined(group.tally, tally), since=since, due=due), below


def _through_window(
    group: Group, events: Sequence[Event], now: Now, rule: Rule
) -> tuple[Group, MatchSummary | None, int]:
    """Have the threshold count matches; returns what fired, and how many fell out of the window."""
    tally: MatchSummary | None = None
    recent = group.recent
    window = Limit(rule.threshold, rule.window).within(group.window, now.mono)
    below = len(group.window) - len(window)
    while events:
        lacking = max(1, rule.threshold - len(window))
        some, events = events[:lacking], events[lacking:]
        window += (now.mono,) * len(some)
        recent += tuple(map(clipped, some[-LINES_KEPT:]))
        recent = recent[-min(LINES_KEPT, len(window)) :]
        if len(window) >= rule.threshold:
            tally = joined(tally, _fired(window, recent, now))
            window, recent = (), ()
    return replace(group, window=window, recent=recent), tally, below


def room(group: Group, now: Now, rule: Rule) -> int | None:
    """Tell how many matches may be added at once; None means any number."""
    if group.tally is not None and not is_due(group, now):
        return None
    return max(1, rule.threshold - len(group.window))


def _due(group: Group, since: float, now: Now, rule: Rule) -> float:
    if now.mono < group.cooling:
        return group.cooling
    if group.tally and group.due <= group.cooling:
        return group.due
    return min(now.mono + rule.debounce, since + rule.max_wait)


def _fired(window: tuple[float, ...], recent: tuple[Event, ...], now: Now) -> MatchSummary:
    tally = together(recent)
    return replace(tally, count=len(window), first=now.wall - (now.mono - window[0]))


def is_due(group: Group, now: Now) -> bool:
    return group.tally is not None and group.due <= now.mono


def emitted(group: Group, now: Now, rule: Rule) -> Group:
    """Forget the tally that was just told, and cool down: twice as long if matches went on."""
    if not rule.cooldown:
        return replace(group, tally=None, cooling=0.0, cooldown=0.0)
    went_on = group.tally is not None and group.due <= group.cooling
    length = max(group.cooldown * 2 if went_on else group.cooldown, rule.cooldown)
    length = min(length, max(rule.cooldown, rule.cooldown_max))
    return replace(group, tally=None, cooling=now.mono + length, cooldown=length)


def deadline(group: Group, rule: Rule) -> float:
    """When this group next needs to be looked at; never, while only its notification waits."""
    reminder = group.alarm.due if group.alarm else inf
    if group.tally:
        return min(group.due, reminder)
    if group.window:
        return min(window_ends_at(group, rule), reminder)
    if group.open or group.alarm:
        return reminder
    return max(group.cooling, group.seen + rule.cooldown_max if group.cooldown else 0.0)


def window_ends_at(group: Group, rule: Rule) -> float:
    """When the last match below the threshold leaves the window; never, without any."""
    return group.window[-1] + rule.window if group.window else inf


def idle(group: Group, now: Now, rule: Rule) -> bool:
    """Whether nothing would be lost with this group."""
    busy = group.tally or group.window or group.alarm or group.open
    return not busy and deadline(group, rule) <= now.mono
