"""Why there was or was no push: what the shaping did with a trigger's last matches. Pure."""

from collections.abc import Iterator

from notifyd.model.events import Now
from notifyd.model.notifications import Json
from notifyd.shaping.group import Group
from notifyd.shaping.mutes import find_mute_digest, mute_end
from notifyd.shaping.send_state import SendStatus
from notifyd.shaping.state import State, TriggerStats
from notifyd.shaping.trace import TraceEntry

_GROUPS_SHOWN = 20


def explain_trigger(state: State, now: Now, trigger: str, kind: str) -> Json:
    """Explain one trigger. Times are seconds since the epoch; what does not apply is left out."""
    ledger = state.trigger_stats.get(trigger, TriggerStats())
    rule = state.rule(trigger)
    groups = [group for group in state.groups.values() if group.trigger == trigger]
    told: Json = {
        "trigger": trigger,
        "type": kind,
        "matches": ledger.matches,
        "notifications": ledger.notifications,
        "below_threshold": ledger.below_threshold,
        "ended_while_muted": ledger.ended_while_muted,
        "trail": [_step(trace) for trace in state.traces.get(trigger, ())],
        "groups": [_group(state, group, now) for group in groups[:_GROUPS_SHOWN]],
        "more_groups": max(0, len(groups) - _GROUPS_SHOWN),
    }
    if until := mute_end(rule, state.global_state.mutes, now.wall):
        told["muted_until"] = until
    told["held_back"] = dict(_held_back(state, trigger))
    gate = state.global_state.send_state
    if gate.status is not SendStatus.OK:
        told["delivery"] = {"state": gate.status.value, "error": gate.error}
    return told


def _step(trace: TraceEntry) -> Json:
    step: Json = {"did": trace.action.value, "first": trace.first, "last": trace.last}
    step["matches"] = trace.matches
    details = {
        "line": trace.line,
        "until": trace.until,
        "id": trace.notification_id,
        "detail": trace.detail,
    }
    step |= {name: value for name, value in details.items() if value}
    if any(trace.group):
        step["group"] = list(trace.group)
    return step


def _group(state: State, group: Group, now: Now) -> Json:
    told: Json = {"group": list(group.values)}
    if group.window:
        told["below_threshold"] = len(group.window)
        told["threshold"] = state.rule(group.trigger).threshold
    if group.summary:
        told["pending"] = group.summary.count
        told["told_at"] = now.wall + group.due - now.mono
    if group.cooldown_until > now.mono:
        told["cooling_until"] = now.wall + group.cooldown_until - now.mono
    if group.condition:
        told["lasting_since"] = group.condition.event.wall
    if group.open_id:
        told["waits_in"] = group.open_id
    return told


def _held_back(state: State, trigger: str) -> Iterator[tuple[str, int]]:
    """Count what the next digests will tell of this trigger, by why it was held back."""
    if held := find_mute_digest(state.digests, trigger):
        yield "mute", held.digest.count
    for held in state.digests.values():
        count = held.digest.counts.get(trigger, 0)
        if held.digest.reason != "mute" and not held.queued and count:
            yield held.digest.reason, count
