"""The state as named entries of JSON, so that a commit writes only what changed."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from notifyd.model.events import Now
from notifyd.model.notifications import Incident, Notification
from notifyd.shaping.agents.session import forget_waits
from notifyd.shaping.group import restarted_wait
from notifyd.shaping.heartbeat import forget_wait
from notifyd.shaping.state import Decision, GlobalState, State
from notifyd.shaping.storage_format import KINDS
from notifyd.shaping.stored_kind import StoredValueError
from notifyd.shaping.summaries import merge_summaries

_NAMED = 5
"""Unreadable entries named in the incident."""
_NAME_CLIP = 80
_REASON_CLIP = 120
"""Characters kept of each name and of each reason."""


@lru_cache(maxsize=10_000)
def group_key(trigger: str, values: tuple[str, ...]) -> str:
    """Return the key of a group, by which the state and the store know it."""
    return json.dumps([trigger, *values], ensure_ascii=False)


def state_entries(decision: Decision, before: GlobalState) -> dict[str, str | None]:
    """Encode the changes of a step by entry name; None deletes an entry.

    before: the global state as it is stored.
    """
    entries: dict[str, str | None] = dict.fromkeys(decision.orphaned_keys)
    for kind, changed in (
        ("group", decision.groups),
        ("digest", decision.digests),
        ("ledger", decision.trigger_stats),
        ("trail", decision.traces),
        ("incident", decision.incidents),
        ("delivery", decision.webhook_deliveries),
        ("spooled", decision.spooled_ids),
        ("heartbeat", decision.heartbeats),
        ("agent", decision.agent_sessions),
    ):
        for key, value in changed.items():
            entries[f"{kind}:{key}"] = None if value is None else KINDS[kind].encode(value)
    if decision.global_state != before:
        entries["books:"] = KINDS["books"].encode(decision.global_state)
    return entries


def all_entries(state: State) -> dict[str, str | None]:
    """Encode the whole state, for a store that may have lost some of it."""
    decision = Decision(state.global_state, state.rules, state.prune_at)
    decision.groups.update(state.groups)
    decision.digests.update(state.digests)
    decision.trigger_stats.update(state.trigger_stats)
    decision.traces.update(state.traces)
    decision.incidents.update(state.incidents)
    decision.webhook_deliveries.update(state.webhook_deliveries)
    decision.spooled_ids.update(state.spooled_ids)
    decision.heartbeats.update(state.heartbeats)
    decision.agent_sessions.update(state.agent_sessions)
    return state_entries(decision, GlobalState())


def restore_state(
    stored: Mapping[str, str], waiting: Iterable[Notification], *, seed: str, now: Now
) -> State:
    """Decode the entries. seed: for the ids of a store that has none yet.

    Entries that cannot be read are dropped and reported as an incident: notifyd always starts.
    """
    state = State(global_state=GlobalState(seed=seed))
    unreadable: dict[str, str] = {}
    for name, text in stored.items():
        kind, _, key = name.partition(":")
        if kind not in KINDS:
            unreadable[name] = "unknown kind"
            continue
        try:
            value = KINDS[kind].decode(text)
        except StoredValueError as error:
            unreadable[name] = str(error)
            continue
        _restore_value(state, kind, key, value, now)
    if not state.global_state.expiry_offset:
        offset = now.wall - now.mono
        state.global_state = replace(state.global_state, expiry_offset=offset)
    for notification in waiting:
        state.put_notification(notification)
    _recover_lost_notifications(state, now)
    if unreadable:
        state.orphaned_keys = tuple(unreadable)
        incident = _unreadable_incident(unreadable, now)
        state.incidents[incident.key] = incident
    return state


def _restore_value(state: State, kind: str, key: str, value: Any, now: Now) -> None:
    match kind:
        case "group":
            state.put_group(key, restarted_wait(value, now))
        case "digest":
            state.put_digest(key, value)
        case "ledger":
            state.trigger_stats[key] = value
        case "trail":
            state.traces[key] = value
        case "incident":
            state.incidents[value.key] = value
        case "delivery":
            state.webhook_deliveries[key] = value
        case "spooled":
            state.spooled_ids[key] = value
        case "heartbeat":
            state.heartbeats[key] = forget_wait(value)
        case "agent":
            state.agent_sessions[key] = forget_waits(value)
        case "books":
            state.global_state = _restored_global_state(value, now)


def _restored_global_state(stored: GlobalState, now: Now) -> GlobalState:
    """Return the state for a new process. Mutes of earlier versions get monotonic times."""
    offset = now.wall - now.mono
    mutes = {name: until - offset for name, until in stored.wall_mutes.items()}
    return replace(
        stored,
        send_state=replace(stored.send_state, worker_free=False),  # its worker has ended
        mutes={**mutes, **stored.mutes},
        wall_mutes={},
    )


def latest_time(state: State) -> float:
    """Return the latest monotonic time in the state; 0 if it is empty."""
    matched = (group.last_match_at for group in state.groups.values())
    charged = (charge.at for charge in state.global_state.charges)
    pinged = (max(beat.since, beat.arrived) for beat in state.heartbeats.values())
    reported = (session.seen for session in state.agent_sessions.values())
    slots = state.global_state.send_state.slots
    return max((0.0, *matched, *charged, *pinged, *reported, *slots))


def _recover_lost_notifications(state: State, now: Now) -> None:
    """Report again the matches of unattempted notifications that a damaged store has lost."""
    for key, group in list(state.groups.items()):
        if group.open_id and group.open_id not in state.notifications:
            lost = group.open_summary
            summary = merge_summaries(lost, group.summary) if group.summary else lost
            due = group.due if group.summary else now.mono
            state.put_group(
                key, replace(group, open_id="", open_summary=None, summary=summary, due=due)
            )
    for key, pending in list(state.digests.items()):
        if pending.queued and pending.id not in state.notifications:
            state.put_digest(key, replace(pending, queued=False))


def _unreadable_incident(reasons: Mapping[str, str], now: Now) -> Incident:
    """Describe entries that were dropped. reasons: why, by the name of the entry."""
    named = "; ".join(
        f"{name[:_NAME_CLIP]} ({reason[:_REASON_CLIP]})"
        for name, reason in list(reasons.items())[:_NAMED]
    )
    more = f" and {len(reasons) - _NAMED} more" if len(reasons) > _NAMED else ""
    entries, they = (
        ("1 stored entry", "it")
        if len(reasons) == 1
        else (f"{len(reasons)} stored entries", "they")
    )
    return Incident(
        now.wall,
        "notifyd could not read some of its state",
        f"Dropped {entries} that could not be read, with the matches {they} counted: "
        f"{named}{more}. Everything else is kept.",
    )
