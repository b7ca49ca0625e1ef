"""What `/v1/status` and `/healthz` say: the state in plain words. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping

from notifyd import __version__
from notifyd.model.events import Now
from notifyd.model.health import LISTED_PER_KIND, SourceHealth
from notifyd.model.notifications import Json, Notification, Status
from notifyd.shaping.mutes import mute_end
from notifyd.shaping.send_state import SendState, SendStatus
from notifyd.shaping.state import State, TriggerStats


def build_status(
    state: State,
    now: Now,
    *,
    trouble: str,
    sources: Iterable[SourceHealth],
    triggers: Mapping[str, str],
    token_source: str,
    token_problem: str,
    url: str,
    uptime: float,
    reload_error: str,
    herald: Json,
) -> Json:
    """Tell everything. trouble: why nothing can be stored. triggers: type by name.

    token_problem: why the token cannot be read at the moment. herald: what delivery counted.
    """
    gate = state.global_state.send_state
    sources = list(sources)
    healthy, word = health(gate, trouble, sources)
    return {
        "success": True,
        "version": __version__,
        "status": word,
        "healthy": healthy,
        "uptime": round(uptime, 1),
        "api": {"url": url},
        "token": {
            "state": _token(gate, token_problem),
            "source": token_source,
            "problem": token_problem or (gate.error if gate.status is SendStatus.REFUSED else ""),
        },
        "delivery": _delivery(gate, now) | herald,
        "outbox": _outbox(state.notifications.values(), now) | {"store": trouble or "ok"},
        "triggers": {
            name: _trigger(
                kind, state.trigger_stats.get(name, TriggerStats()), _pending(state, name)
            )
            | _muted(state, name, now)
            for name, kind in triggers.items()
        },
        "socket": _trigger("socket", state.trigger_stats.get("socket", TriggerStats()), 0),
        "muted": {
            name: until for name, until in state.global_state.mutes.items() if until > now.wall
        },
        **_held_back(state, now),
        "sources": [
            {
                "name": source.name,
                "watching": source.watching,
                "problems": source.messages,
                "awaited": list(source.missing_paths[:LISTED_PER_KIND]),
                "dead": source.dead,
                "undecided": dict(source.timed_out),
                "lost": dict(source.dropped),
            }
            for source in sources
        ],
        "incidents": [
            {"at": incident.wall, "what": incident.message} for incident in state.incidents.values()
        ],
        "reload": {"error": reload_error},
    }


def health(gate: SendState, trouble: str, sources: Iterable[SourceHealth]) -> tuple[bool, str]:
    """Tell whether all is well; waiting for a Retry-After or the network is."""
    if trouble:
        return False, "store_unavailable"
    if gate.status is SendStatus.REFUSED:
        return False, "token_refused"
    if gate.status is SendStatus.ENDPOINT:
        return False, "endpoint_wrong"
    if any(source.dead for source in sources):
        return False, "source_dead"
    return True, "waiting" if gate.status is SendStatus.WAITING else "ok"


def _token(gate: SendState, problem: str) -> str:
    if gate.status is SendStatus.REFUSED:
        return "refused"
    return "unusable" if problem else "ok"


def _delivery(gate: SendState, now: Now) -> Json:
    return {
        "state": gate.status.value,
        "error": gate.error,
        "cause": gate.cause,
        "warning": gate.no_device_reason,
        "failures": gate.consecutive_failures,
        "paused_for": round(max(0.0, gate.paused_until - now.mono), 1),
    }


def _outbox(rows: Iterable[Notification], now: Now) -> Json:
    counts: Counter[Status] = Counter()
    oldest = now.wall
    for row in rows:
        counts[row.status] += 1
        oldest = min(oldest, row.created)
    return {
        "waiting": counts[Status.QUEUED] + counts[Status.ATTEMPTING],
        "attempting": counts[Status.ATTEMPTING],
        "held": counts[Status.HELD],
        "oldest_age": round(max(0.0, now.wall - oldest), 1),
    }


def _held_back(state: State, now: Now) -> Json:
    """Tell what the next digests will tell, by reason, and in how many seconds the first will."""
    counts: Counter[str] = Counter()
    left: dict[str, float] = {}
    for held in state.digests.values():
        if not held.queued:
            reason = held.digest.reason
            counts[reason] += held.digest.count
            seconds = round(max(0.0, held.due - now.mono), 1)
            left[reason] = min(seconds, left.get(reason, seconds))
    return {"held_back": dict(counts), "held_until": left}


def _muted(state: State, trigger: str, now: Now) -> Json:
    until = mute_end(state.rule(trigger), state.global_state.mutes, now.wall)
    return {"muted_until": until} if until else {}


def _pending(state: State, trigger: str) -> int:
    """Count the matches that fired and wait for a debounce or a cooldown to end."""
    return sum(
        group.summary.count
        for group in state.groups.values()
        if group.trigger == trigger and group.summary
    )


def _trigger(kind: str, ledger: TriggerStats, pending: int) -> Json:
    return {
        "type": kind,
        "matches": ledger.matches,
        "notifications": ledger.notifications,
        "below_threshold": ledger.below_threshold,
        "pending": pending,
        "ended_while_muted": ledger.ended_while_muted,
        "reason": ledger.reason,
    }
