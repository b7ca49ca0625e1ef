"""Why a push was or was not sent: what shaping did with a trigger's last matches. Pure."""

from collections.abc import Iterator

from notifyd.model.events import Now
from notifyd.model.notifications import Json
from notifyd.shaping.group import Group
from notifyd.shaping.mutes import find_mute_digest, mute_end
from notifyd.shaping.send_state import SendStatus
from notifyd.shaping.state import State, TriggerStats
from notifyd.shaping.trace import TraceEntry
from notifyd.telemetry.agents import agents_part
from notifyd.telemetry.heartbeats import heartbeat_part

_LISTED_GROUPS = 20


def explain_trigger(state: State, now: Now, trigger: str, kind: str) -> Json:
    """Explain one trigger. Times are seconds since the epoch; keys that do not apply are absent."""
    stats = state.trigger_stats.get(trigger, TriggerStats())
    rule = state.rule(trigger)
    groups = [group for group in state.groups.values() if group.trigger == trigger]
    explanation: Json = {
        "trigger": trigger,
        "type": kind,
        "matches": stats.matches,
        "notifications": stats.notifications,
        "below_threshold": stats.below_threshold,
        "ended_while_muted": stats.ended_while_muted,
        "trail": [_step(entry) for entry in state.traces.get(trigger, ())],
        "groups": [_group(state, group, now) for group in groups[:_LISTED_GROUPS]],
        "more_groups": max(0, len(groups) - _LISTED_GROUPS),
    }
    if until := mute_end(rule, state.global_state.mutes, now):
        explanation["muted_until"] = until
    explanation |= heartbeat_part(state, trigger, now) | agents_part(state, trigger, now)
    explanation["held_back"] = dict(_held_back(state, trigger))
    send_state = state.global_state.send_state
    if send_state.status is not SendStatus.OK:
        explanation["delivery"] = {"state": send_state.status.value, "error": send_state.error}
    return explanation


def _step(entry: TraceEntry) -> Json:
    step: Json = {"did": entry.action.value, "first": entry.first, "last": entry.last}
    step["matches"] = entry.matches
    details = {
        "line": entry.line,
        "until": entry.until,
        "id": entry.notification_id,
        "detail": entry.detail,
    }
    step |= {name: value for name, value in details.items() if value}
    if any(entry.group):
        step["group"] = list(entry.group)
    return step


def _group(state: State, group: Group, now: Now) -> Json:
    described: Json = {"group": list(group.values)}
    if group.window:
        described["below_threshold"] = len(group.window)
        described["threshold"] = state.rule(group.trigger).threshold
    if group.summary:
        described["pending"] = group.summary.count
        described["told_at"] = now.wall + group.due - now.mono
    if group.cooldown_until > now.mono:
        described["cooling_until"] = now.wall + group.cooldown_until - now.mono
    if group.condition:
        described["lasting_since"] = group.condition.event.wall
    if group.open_id:
        described["waits_in"] = group.open_id
    return described


def _held_back(state: State, trigger: str) -> Iterator[tuple[str, int]]:
    """Yield how many matches of this trigger wait for a digest, by the reason."""
    if held := find_mute_digest(state.digests, trigger):
        yield "mute", held.digest.count
    for held in state.digests.values():
        count = held.digest.counts.get(trigger, 0)
        if held.digest.reason != "mute" and not held.queued and count:
            yield held.digest.reason, count
