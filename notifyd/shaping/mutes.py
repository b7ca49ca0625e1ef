"""Mutes: notifications of a muted trigger are held back, and counted in one digest when it ends."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from notifyd.model.events import Now
from notifyd.model.notifications import SOCKET, Content, Digest, Notification, Priority
from notifyd.model.time_windows import combined_end
from notifyd.shaping.admission import (
    apply_digest_pause,
    merge_into_digest,
    queue_digest,
    trace_notification,
)
from notifyd.shaping.inputs import Muted
from notifyd.shaping.rules import Rule
from notifyd.shaping.state import PendingDigest
from notifyd.shaping.step_context import StepContext
from notifyd.shaping.trace import Action

_PREFIX = "mute:"
"""Begins the key of the digest of one muted trigger."""
_EVERYTHING = ""


def set_mute(context: StepContext, request: Muted) -> None:
    """Mute a trigger or everything from now on; a length of zero ends that mute."""
    now = context.now.mono
    mutes = {name: until for name, until in context.global_state.mutes.items() if until > now}
    if request.seconds > 0:
        mutes[request.trigger] = now + request.seconds
    elif request.trigger == _EVERYTHING:
        mutes.clear()
    else:
        mutes.pop(request.trigger, None)
    context.global_state = replace(context.global_state, mutes=mutes)
    update_mute_ends(context)
    release_unmuted(context)


def mute_end(rule: Rule, by_hand: Mapping[str, float], now: Now) -> float:
    """Return the wall-clock time at which a trigger's mute ends; 0 if it is not muted.

    by_hand: the monotonic times at which mutes by request end, by trigger; the empty name stands
    for everything.
    """
    until = max(by_hand.get(rule.trigger, now.mono), by_hand.get(_EVERYTHING, now.mono), now.mono)
    end = now.wall + (until - now.mono)
    later = combined_end(rule.mute, end) if rule.mute else 0.0
    # The wall clock is the coarser of the two: what it cannot show as later is over.
    return later or (end if end > now.wall else 0.0)


def requested_mute_ends(by_hand: Mapping[str, float], now: Now) -> dict[str, float]:
    """Return the wall-clock times at which mutes by request end that have not ended yet."""
    return {
        trigger: now.wall + (until - now.mono)
        for trigger, until in by_hand.items()
        if until > now.mono
    }


def muted_until(context: StepContext, trigger: str) -> float:
    return mute_end(context.rule(trigger), context.global_state.mutes, context.now)


def hold_back(
    context: StepContext, notification: Notification, content: Content | None
) -> Notification | None:
    """Count a notification into the digest of its mute; None if it is not muted."""
    if notification.priority is Priority.URGENT:
        return None
    until = muted_until(context, notification.trigger)
    if not until:
        return None
    key = _PREFIX + notification.trigger
    due = context.to_mono(until)
    merged = merge_into_digest(context, notification, content, key, "mute", due=due)
    pending = context.digest(key)
    if pending and notification.priority.rank > pending.priority.rank:
        context.put_digest(key, replace(pending, priority=notification.priority))
    trace_notification(context, Action.MUTED, notification, content, until=until)
    return merged


def mute_digest(context: StepContext, trigger: str) -> PendingDigest | None:
    """Return the digest of a muted trigger."""
    return context.digest(_PREFIX + trigger)


def find_mute_digest(digests: Mapping[str, PendingDigest], trigger: str) -> PendingDigest | None:
    """Return the digest of a muted trigger among those of a state."""
    return digests.get(_PREFIX + trigger)


def retract_match(context: StepContext, trigger: str, line: str) -> None:
    """Take one match back from the digest of a muted trigger."""
    key = _PREFIX + trigger
    pending = context.digest(key)
    if pending is None:
        return
    lines = list(pending.digest.lines)
    if line in lines:
        lines.remove(line)
    counts = {trigger: pending.digest.count - 1}
    digest = replace(pending.digest, counts=counts, lines=tuple(lines))
    context.put_digest(key, replace(pending, digest=digest) if digest.count else None)


def update_mute_ends(context: StepContext) -> None:
    """Recompute when each mute ends, after a change of rules, of mutes or of the clock."""
    for key, pending in _mute_digests(context):
        until = muted_until(context, key.removeprefix(_PREFIX))
        due = context.to_mono(until) if until else context.now.mono
        context.put_digest(key, replace(pending, due=due))
    apply_digest_pause(context)
    put_off_digests(context)


def put_off_digests(context: StepContext) -> None:
    """Let digests of what is over the budget wait while all that they count is muted."""
    for key, pending in context.digests():
        if pending.queued or is_mute_digest(key):
            continue
        counts = pending.digest.counts
        until = min((muted_until(context, trigger) for trigger in counts), default=0.0)
        if until and (due := context.to_mono(until)) > pending.due:
            context.put_digest(key, replace(pending, due=due))


def release_unmuted(context: StepContext) -> None:
    """Queue one digest of all that is no longer muted."""
    ended: dict[str, PendingDigest] = {}
    for key, pending in _mute_digests(context):
        if pending.due > context.now.mono:
            continue
        if until := muted_until(context, key.removeprefix(_PREFIX)):
            context.put_digest(key, replace(pending, due=context.to_mono(until)))
        else:
            ended[key] = pending
    if not ended:
        return
    for key in ended:
        context.put_digest(key, None)
    # Muted messages refer to the socket's digest by its id.
    first = ended.get(_PREFIX + SOCKET) or next(iter(ended.values()))
    priority = max((pending.priority for pending in ended.values()), key=lambda each: each.rank)
    digest = _merge_digests([pending.digest for pending in ended.values()])
    merged = PendingDigest(first.id, digest, context.now.mono, queued=False, priority=priority)
    queue_digest(context, f"muted:{first.id}", merged)


def _merge_digests(digests: list[Digest]) -> Digest:
    counts: Counter[str] = Counter()
    for digest in digests:
        counts.update(digest.counts)
    return Digest(
        reason="mute",
        counts=dict(counts),
        first=min(digest.first for digest in digests),
        last=max(digest.last for digest in digests),
        lines=tuple(line for digest in digests for line in digest.lines),
    )


def is_mute_digest(key: str) -> bool:
    """Whether the digest of this key waits for the end of a mute."""
    return key.startswith(_PREFIX)


def _mute_digests(context: StepContext) -> list[tuple[str, PendingDigest]]:
    return [(key, pending) for key, pending in context.digests() if is_mute_digest(key)]
