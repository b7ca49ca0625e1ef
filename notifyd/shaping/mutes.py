"""Mutes: what falls into one is held back by trigger, and told in one digest when it ends."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from notifyd.model.notifications import SOCKET, Content, Digest, Notification, Priority
from notifyd.model.time_windows import end_of
from notifyd.shaping.admission import merge_into_digest, queue_digest, trace_notification
from notifyd.shaping.inputs import Muted
from notifyd.shaping.rules import Rule
from notifyd.shaping.state import PendingDigest
from notifyd.shaping.step_context import StepContext
from notifyd.shaping.trace import Action

_PREFIX = "mute:"
"""Marks what is held back for one trigger."""
_EVERYTHING = ""


def set_mute(context: StepContext, request: Muted) -> None:
    """Mute a trigger, or everything, from now on for so long; for no time at all ends that."""
    wall = context.now.wall
    mutes = {name: until for name, until in context.global_state.mutes.items() if until > wall}
    if request.seconds > 0:
        mutes[request.trigger] = wall + request.seconds
    elif request.trigger == _EVERYTHING:
        mutes.clear()
    else:
        mutes.pop(request.trigger, None)
    context.global_state = replace(context.global_state, mutes=mutes)
    update_mute_ends(context)
    release_unmuted(context)


def mute_end(rule: Rule, by_hand: Mapping[str, float], wall: float) -> float:
    """Tell until when (wall-clock time) a trigger is muted; 0 if it is not.

    by_hand: until when triggers, or everything under no name, have been muted on demand.
    """
    end = max(wall, by_hand.get(rule.trigger, 0.0), by_hand.get(_EVERYTHING, 0.0))
    later = end_of(rule.mute, end) if rule.mute else 0.0
    return later or (end if end > wall else 0.0)


def muted_until(context: StepContext, trigger: str) -> float:
    return mute_end(context.rule(trigger), context.global_state.mutes, context.now.wall)


def hold_back(
    context: StepContext, notification: Notification, content: Content | None
) -> Notification | None:
    """Count a notification as held back, if its trigger is muted; returns the row as merged."""
    until = (
        0.0
        if notification.priority is Priority.URGENT
        else muted_until(context, notification.trigger)
    )
    if not until:
        return None
    key = _PREFIX + notification.trigger
    merged = merge_into_digest(
        context, notification, content, key, "mute", due=context.to_mono(until)
    )
    pending = context.digest(key)
    if pending and notification.priority.rank > pending.priority.rank:
        context.put_digest(key, replace(pending, priority=notification.priority))
    trace_notification(context, Action.MUTED, notification, content, until=until)
    return merged


def mute_digest(context: StepContext, trigger: str) -> PendingDigest | None:
    return context.digest(_PREFIX + trigger)


def find_mute_digest(digests: Mapping[str, PendingDigest], trigger: str) -> PendingDigest | None:
    """Find what a state holds back for a trigger until its mute ends."""
    return digests.get(_PREFIX + trigger)


def retract_match(context: StepContext, trigger: str, line: str) -> None:
    """Uncount one match, which no longer needs to be told."""
    key = _PREFIX + trigger
    pending = context.digest(key)
    if pending is None:
        return
    counts = {trigger: pending.digest.count - 1}
    lines = list(pending.digest.lines)
    if line in lines:
        lines.remove(line)
    digest = replace(pending.digest, counts=counts, lines=tuple(lines))
    context.put_digest(key, replace(pending, digest=digest) if digest.count else None)


def update_mute_ends(context: StepContext) -> None:
    """Find anew when each mute ends: its windows, the clock or somebody's wish have changed."""
    for key, pending in _mute_digests(context):
        until = muted_until(context, key.removeprefix(_PREFIX))
        context.put_digest(
            key, replace(pending, due=context.to_mono(until) if until else context.now.mono)
        )


def release_unmuted(context: StepContext) -> None:
    """Tell in one digest what is no longer muted."""
    ready: dict[str, PendingDigest] = {}
    for key, pending in _mute_digests(context):
        if pending.due > context.now.mono:
            continue
        if until := muted_until(context, key.removeprefix(_PREFIX)):
            context.put_digest(key, replace(pending, due=context.to_mono(until)))
        else:
            ready[key] = pending
    if not ready:
        return
    # Whoever sent a message that was held back was told that this notification holds it.
    first = ready.get(_PREFIX + SOCKET) or next(iter(ready.values()))
    counts: Counter[str] = Counter()
    for key, pending in ready.items():
        counts.update(pending.digest.counts)
        context.put_digest(key, None)
    digests = [pending.digest for pending in ready.values()]
    whole = Digest(
        "mute",
        dict(counts),
        min(digest.first for digest in digests),
        max(digest.last for digest in digests),
        tuple(line for digest in digests for line in digest.lines),
    )
    priority = max((pending.priority for pending in ready.values()), key=lambda each: each.rank)
    told = PendingDigest(first.id, whole, context.now.mono, queued=False, priority=priority)
    queue_digest(context, f"muted:{first.id}", told)


def is_mute_digest(key: str) -> bool:
    """Whether a digest is one that waits for a mute to end."""
    return key.startswith(_PREFIX)


def _mute_digests(context: StepContext) -> list[tuple[str, PendingDigest]]:
    return [(key, pending) for key, pending in context.digests() if is_mute_digest(key)]
