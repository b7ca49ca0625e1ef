"""One group of one trigger: threshold, debounce, cooldown. The contract's algorithm, first half.

All times are monotonic seconds, but for those inside tallies.
"""

from dataclasses import dataclass, replace
from functools import reduce
from math import inf

from notifyd.model import LINES_KEPT, Event, Now, Phase, Tally
from notifyd.shaping.rules import Limit, Rule
from notifyd.shaping.tally import joined, single

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
    tally: Tally | None = None
    since: float = 0.0
    due: float = 0.0
    cooling: float = 0.0
    cooldown: float = 0.0
    seen: float = 0.0
    open: str = ""
    told: Tally | None = None
    alarm: Alarm | None = None


def added(group: Group, event: Event, now: Now, rule: Rule) -> tuple[Group, int]:
    """Count a match; also returns how many earlier ones fell below the threshold by now."""
    calm = group.cooldown and now.mono - group.seen >= rule.cooldown_max
    below, tally = 0, single(event)
    window: tuple[float, ...] = ()
    recent: tuple[Event, ...] = ()
    counted_first = event.phase is Phase.NONE  # a condition lasts or not: it needs no second one
    if counted_first and (rule.threshold > 1 or group.window):
        window = Limit(rule.threshold, rule.window).within(group.window, now.mono)
        below = len(group.window) - len(window)
        recent = (*group.recent, tally.event)[-min(LINES_KEPT, len(window) + 1) :]
        window = (*window, now.mono)
        if len(window) < rule.threshold:
            waiting = replace(
                group,
                window=window,
                recent=recent,
                seen=now.mono,
                cooldown=0.0 if calm else group.cooldown,
            )
            return waiting, below
        tally = _fired(window, recent, now)
    since = group.since if group.tally else now.mono
    return (
        replace(
            group,
            window=() if counted_first else group.window,
            recent=() if counted_first else group.recent,
            tally=joined(group.tally, tally),
            since=since,
            due=_due(group, since, now, rule),
            seen=now.mono,
            cooldown=0.0 if calm else group.cooldown,
        ),
        below,
    )


def _due(group: Group, since: float, now: Now, rule: Rule) -> float:
    if now.mono < group.cooling:
        return group.cooling
    if group.tally and group.due <= group.cooling:
        return group.due
    return min(now.mono + rule.debounce, since + rule.max_wait)


def _fired(window: tuple[float, ...], recent: tuple[Event, ...], now: Now) -> Tally:
    tally = reduce(joined, map(single, recent))
    return replace(tally, count=len(window), first=now.wall - (now.mono - window[0]))


def ripe(group: Group, now: Now) -> bool:
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
        return min(lapse(group, rule), reminder)
    if group.open or group.alarm:
        return reminder
    return max(group.cooling, group.seen + rule.cooldown_max if group.cooldown else 0.0)


def lapse(group: Group, rule: Rule) -> float:
    """When the last match below the threshold leaves the window; never, without any."""
    return group.window[-1] + rule.window if group.window else inf


def idle(group: Group, now: Now, rule: Rule) -> bool:
    """Whether nothing would be lost with this group."""
    busy = group.tally or group.window or group.alarm or group.open
    return not busy and deadline(group, rule) <= now.mono
