"""What `/v1/status` and `/healthz` answer, built from the state. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from notifyd import __version__
from notifyd.model.agents import AGENTS
from notifyd.model.attempts import KEPT_IN_INBOX
from notifyd.model.events import Now
from notifyd.model.health import LISTED_PER_KIND, SourceHealth
from notifyd.model.notifications import SOCKET, Json, Notification, Status
from notifyd.shaping.mutes import mute_end, requested_mute_ends
from notifyd.shaping.send_state import SendState, SendStatus
from notifyd.shaping.state import State, TriggerStats
from notifyd.telemetry.agents import agents_part, count_waiting_questions
from notifyd.telemetry.heartbeats import heartbeat_part

_WATCHED = {
    "journal": ("journal unit",),
    "process": ("process", "processes"),
    "oblien": ("value of the platform", "values of the platform"),
}
"""What a source watches, where that is not its name."""


@dataclass(frozen=True, slots=True)
class DaemonInfo:
    """What the status reports beside the fold's state.

    store_error: why the database cannot be written. trigger_types: by name. token_state: `ok`,
    `missing` or `unusable`; token_problem: what is wrong with it. uptime: in seconds. reload_error:
    why the last reload was refused. delivery: `DeliveryReporter.summary`. gap: the last suspend, or
    jump of the clock, since the start. config_file: the main file of the configuration; empty
    without one. pid: of the daemon.
    """

    store_error: str
    sources: Sequence[SourceHealth]
    trigger_types: Mapping[str, str]
    token_name: str
    token_state: str
    token_problem: str
    api_url: str
    uptime: float
    reload_error: str
    delivery: Json
    config_file: str = ""
    gap: Json | None = None
    pid: int = 0

    @property
    def has_token_problem(self) -> bool:
        return self.token_state in ("missing", "unusable")

    def effective_token_state(self, send_state: SendState) -> str:
        """Return `token_state`, or `refused` if the API refuses a token that is ok otherwise."""
        is_refused = send_state.status is SendStatus.REFUSED
        return "refused" if is_refused and not self.has_token_problem else self.token_state


def build_status(
    state: State, now: Now, info: DaemonInfo, per_hour: Mapping[str, float] = MappingProxyType({})
) -> Json:
    """Return the whole status as JSON, for admins.

    per_hour: notifications of the triggers that sent some.
    """
    send_state = state.global_state.send_state
    is_healthy, word = overall_health(send_state, info.store_error, info.sources)
    return {
        "success": True,
        "scope": "all",
        "version": __version__,
        "status": word,
        "healthy": is_healthy,
        "uptime": round(info.uptime, 1),
        "pid": info.pid,
        "config": info.config_file,
        "gap": info.gap,
        "api": {"url": info.api_url},
        "token": _token(send_state, info),
        "delivery": _delivery(send_state, now) | info.delivery,
        "outbox": count_waiting(state.notifications.values(), now)
        | {"store": info.store_error or "ok"},
        "triggers": {
            name: _trigger(kind, _stats(state, name), _pending(state, name))
            | {"per_hour": round(per_hour.get(name, 0.0), 2)}
            | _muted(state, name, now)
            | heartbeat_part(state, name, now)
            for name, kind in info.trigger_types.items()
        },
        "socket": _trigger(SOCKET, _stats(state, SOCKET), pending=0)
        | {"per_hour": round(per_hour.get(SOCKET, 0.0), 2)},
        "agents": _trigger(AGENTS, _stats(state, AGENTS), count_waiting_questions(state))
        | {"per_hour": round(per_hour.get(AGENTS, 0.0), 2)}
        | _muted(state, AGENTS, now)
        | agents_part(state, AGENTS, now),
        "muted": requested_mute_ends(state.global_state.mutes, now),
        **_held_back(state, now),
        "sources": [_source(source) for source in info.sources],
        "incidents": [
            {"at": incident.wall, "what": incident.message} for incident in state.incidents.values()
        ],
        "reload": {"error": info.reload_error},
    }


def status_line(
    state: State,
    sources: Sequence[SourceHealth],
    *,
    store_error: str,
    token_problem: str,
    reload_error: str,
) -> str:
    """Return the status in one line, for `systemctl status`: what is watched, what waits, why.

    token_problem: what is wrong with the stored token, in a few words.
    """
    waiting = sum(
        notification.status in (Status.QUEUED, Status.ATTEMPTING)
        for notification in state.notifications.values()
    )
    send_status = state.global_state.send_state.status
    problems = sum(len(source.problems) for source in sources)
    trouble = (
        "database not writable" if store_error else "",
        token_problem or ("token refused" if send_status is SendStatus.REFUSED else ""),
        "endpoint refuses requests" if send_status is SendStatus.ENDPOINT else "",
        "sending paused" if send_status is SendStatus.WAITING else "",
        "kept the old configuration" if reload_error else "",
        _quantity(problems, "problem") if problems else "",
    )
    parts = (f"watching {_watched(sources)}", f"{waiting} waiting", *trouble)
    return "; ".join(filter(None, parts))


def _watched(sources: Iterable[SourceHealth]) -> str:
    words = [
        _quantity(source.watching, *_WATCHED.get(source.name, (source.name,)))
        for source in sources
        if source.watching
    ]
    return ", ".join(words) or "nothing"


def _quantity(number: int, noun: str, plural: str = "") -> str:
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def overall_health(
    send_state: SendState, store_error: str, sources: Iterable[SourceHealth]
) -> tuple[bool, str]:
    """Return whether the daemon is healthy, and one word for its state.

    Waiting for a Retry-After or for the network is healthy.
    """
    if store_error:
        return False, "store_unavailable"
    if send_state.status is SendStatus.REFUSED:
        return False, "token_refused"
    if send_state.status is SendStatus.ENDPOINT:
        return False, "endpoint_wrong"
    if any(source.dead for source in sources):
        return False, "source_dead"
    return True, "waiting" if send_state.status is SendStatus.WAITING else "ok"


def _token(send_state: SendState, info: DaemonInfo) -> Json:
    is_refused = send_state.status is SendStatus.REFUSED
    return {
        "state": info.effective_token_state(send_state),
        "source": info.token_name,
        "problem": info.token_problem or (send_state.error if is_refused else ""),
    }


def _delivery(send_state: SendState, now: Now) -> Json:
    return {
        "state": send_state.status.value,
        "error": send_state.error,
        "cause": send_state.cause,
        **_no_device(send_state),
        "failures": send_state.consecutive_failures,
        "paused_for": round(max(0.0, send_state.paused_until - now.mono), 1),
    }


def _no_device(send_state: SendState) -> Json:
    """Return why the last notification reached no device: a warning, unless a relay kept it."""
    reason = send_state.no_device_reason
    is_kept = reason.startswith(KEPT_IN_INBOX)
    return {
        "warning": "" if is_kept else reason,
        "note": reason if is_kept else "",
        "reaches_device": is_kept or not reason,
    }


def count_waiting(waiting: Iterable[Notification], now: Now) -> Json:
    """Return how many of these notifications wait for what, and the age of the oldest."""
    counts: Counter[Status] = Counter()
    oldest = now.wall
    for notification in waiting:
        counts[notification.status] += 1
        oldest = min(oldest, notification.created)
    return {
        "waiting": counts[Status.QUEUED] + counts[Status.ATTEMPTING],
        "attempting": counts[Status.ATTEMPTING],
        "held": counts[Status.HELD],
        "oldest_age": round(max(0.0, now.wall - oldest), 1),
    }


def _held_back(state: State, now: Now) -> Json:
    """Return what is counted for the next digests by reason, and the seconds until the first."""
    counts: Counter[str] = Counter()
    seconds_left: dict[str, float] = {}
    for pending in state.digests.values():
        if not pending.queued:
            reason = pending.digest.reason
            counts[reason] += pending.digest.count
            seconds = round(max(0.0, pending.due - now.mono), 1)
            seconds_left[reason] = min(seconds, seconds_left.get(reason, seconds))
    return {"held_back": dict(counts), "held_until": seconds_left}


def _stats(state: State, trigger: str) -> TriggerStats:
    return state.trigger_stats.get(trigger, TriggerStats())


def _pending(state: State, trigger: str) -> int:
    """Count the matches that wait for a debounce or a cooldown to end."""
    return sum(
        group.summary.count
        for group in state.groups.values()
        if group.trigger == trigger and group.summary
    )


def _trigger(kind: str, stats: TriggerStats, pending: int) -> Json:
    return {
        "type": kind,
        "matches": stats.matches,
        "notifications": stats.notifications,
        "below_threshold": stats.below_threshold,
        "pending": pending,
        "ended_while_muted": stats.ended_while_muted,
        "reason": stats.reason,
    }


def _muted(state: State, trigger: str, now: Now) -> Json:
    until = mute_end(state.rule(trigger), state.global_state.mutes, now)
    return {"muted_until": until} if until else {}


def _source(source: SourceHealth) -> Json:
    return {
        "name": source.name,
        "watching": source.watching,
        "problems": source.messages,
        "awaited": list(source.missing_paths[:LISTED_PER_KIND]),
        "dead": source.dead,
        "undecided": dict(source.timed_out),
        "cut_lines": dict(source.cut_lines),
        "unfinished_bytes": dict(source.unfinished_bytes),
        "lost": dict(source.dropped),
    }
