"""Mutes: what falls into one is held back by trigger, and told in one digest when it ends."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from notifyd.model.notifications import SOCKET, Content, Digest, Notification, Priority
from notifyd.model.time_windows import end_of
from notifyd.shaping.admission import merge, place, trace
from notifyd.shaping.inputs import Muted
from notifyd.shaping.rules import Rule
from notifyd.shaping.state import PendingDigest
from notifyd.shaping.step_context import StepContext
from notifyd.shaping.trace import Action

_HELD = "mute:"
"""Marks what is held back for one trigger."""
_EVERYTHING = ""


def set_mute(draft: StepContext, wish: Muted) -> None:
    """Mute a trigger, or everything, from now on for so long; for no time at all ends that."""
    wall = draft.now.wall
    mutes = {name: until for name, until in draft.global_state.mutes.items() if until > wall}
    if wish.seconds > 0:
        mutes[wish.trigger] = wall + wish.seconds
    elif wish.trigger == _EVERYTHING:
        mutes.clear()
    else:
        mutes.pop(wish.trigger, None)
    draft.global_state = replace(draft.global_state, mutes=mutes)
    retime(draft)
    release(draft)


def mute_end(rule: Rule, by_hand: Mapping[str, float], wall: float) -> float:
    """Tell until when (wall-clock time) a trigger is muted; 0 if it is not.

    by_hand: until when triggers, or everything under no name, have been muted on demand.
    """
    end = max(wall, by_hand.get(rule.trigger, 0.0), by_hand.get(_EVERYTHING, 0.0))
    later = end_of(rule.mute, end) if rule.mute else 0.0
    return later or (end if end > wall else 0.0)


def muted_until(draft: StepContext, trigger: str) -> float:
    return mute_end(draft.rule(trigger), draft.global_state.mutes, draft.now.wall)


def hold_back(
    draft: StepContext, row: Notification, content: Content | None
) -> Notification | None:
    """Count a notification as held back, if its trigger is muted; returns the row as merged."""
    until = 0.0 if row.priority is Priority.URGENT else muted_until(draft, row.trigger)
    if not until:
        return None
    key = _HELD + row.trigger
    merged = merge(draft, row, content, key, "mute", due=draft.mono(until))
    held = draft.digest(key)
    if held and row.priority.rank > held.priority.rank:
        draft.put_digest(key, replace(held, priority=row.priority))
    trace(draft, Action.MUTED, row, content, until=until)
    return merged


def held_back(draft: StepContext, trigger: str) -> PendingDigest | None:
    return draft.digest(_HELD + trigger)


def held_for(digests: Mapping[str, PendingDigest], trigger: str) -> PendingDigest | None:
    """Find what a state holds back for a trigger until its mute ends."""
    return digests.get(_HELD + trigger)


def take_back(draft: StepContext, trigger: str, line: str) -> None:
    """Uncount one match, which no longer needs to be told."""
    key = _HELD + trigger
    held = draft.digest(key)
    if held is None:
        return
    counts = {trigger: held.digest.count - 1}
    lines = list(held.digest.lines)
    if line in lines:
        lines.remove(line)
    digest = replace(held.digest, counts=counts, lines=tuple(lines))
    draft.put_digest(key, replace(held, digest=digest) if digest.count else None)


def retime(draft: StepContext) -> None:
    """Find anew when each mute ends: its windows, the clock or somebody's wish have changed."""
    for key, held in _holds(draft):
        until = muted_until(draft, key.removeprefix(_HELD))
        draft.put_digest(key, replace(held, due=draft.mono(until) if until else draft.now.mono))


def release(draft: StepContext) -> None:
    """Tell in one digest what is no longer muted."""
    ready: dict[str, PendingDigest] = {}
    for key, held in _holds(draft):
        if held.due > draft.now.mono:
            continue
        if until := muted_until(draft, key.removeprefix(_HELD)):
            draft.put_digest(key, replace(held, due=draft.mono(until)))
        else:
            ready[key] = held
    if not ready:
        return
    # Whoever sent a message that was held back was told that this notification holds it.
    first = ready.get(_HELD + SOCKET) or next(iter(ready.values()))
    counts: Counter[str] = Counter()
    for key, held in ready.items():
        counts.update(held.digest.counts)
        draft.put_digest(key, None)
    digests = [held.digest for held in ready.values()]
    whole = Digest(
        "mute",
        dict(counts),
        min(digest.first for digest in digests),
        max(digest.last for digest in digests),
        tuple(line for digest in digests for line in digest.lines),
    )
    priority = max((held.priority for held in ready.values()), key=lambda each: each.rank)
    told = PendingDigest(first.id, whole, draft.now.mono, placed=False, priority=priority)
    place(draft, f"muted:{first.id}", told)


def is_hold(key: str) -> bool:
    """Whether a digest is one that waits for a mute to end."""
    return key.startswith(_HELD)


def _holds(draft: StepContext) -> list[tuple[str, PendingDigest]]:
    return [(key, held) for key, held in draft.digests() if is_hold(key)]
