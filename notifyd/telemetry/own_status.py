"""What `/v1/status` and `/metrics` answer to a user who is not an admin. Pure.

It holds numbers of their own notifications, and the daemon's health in fixed words: no paths,
triggers or settings of the daemon, no answers of the API, and nothing of other users.
"""

from notifyd import __version__
from notifyd.model.attempts import KEPT_IN_INBOX
from notifyd.model.events import Now
from notifyd.model.notifications import Json
from notifyd.shaping.mutes import requested_mute_ends
from notifyd.shaping.send_state import SendState, SendStatus
from notifyd.shaping.state import State
from notifyd.telemetry.agents import own_agents_part
from notifyd.telemetry.status import DaemonInfo, count_waiting, overall_health

_SENDING = {
    SendStatus.OK: "",
    SendStatus.WAITING: "sending is paused for a while; notifications stay queued",
    SendStatus.REFUSED: "the send token is refused; ask an admin to set a valid one",
    SendStatus.ENDPOINT: "the endpoint refuses requests; ask an admin to check [api] url",
}
_NO_TOKEN = "there is no usable send token; ask an admin to set one"  # noqa: S105 - a sentence
_UNAVAILABLE = "unavailable"


def build_own_status(state: State, now: Now, info: DaemonInfo, uid: int) -> Json:
    """Return the status for this user. uid: as in the peer of a notification."""
    send_state = state.global_state.send_state
    is_healthy, word = overall_health(send_state, info.store_error, info.sources)
    own = [each for each in state.notifications.values() if each.peer and each.peer.uid == uid]
    everything_until = requested_mute_ends(state.global_state.mutes, now).get("")
    return {
        "success": True,
        "scope": "own",
        "version": __version__,
        "status": word,
        "healthy": is_healthy,
        "uptime": round(info.uptime, 1),
        "gap": info.gap,
        "token": {"state": info.effective_token_state(send_state)},
        "delivery": _delivery(send_state, now, info),
        "outbox": count_waiting(own, now) | {"store": _UNAVAILABLE if info.store_error else "ok"},
        "muted": {"": everything_until} if everything_until else {},
        **own_agents_part(state, uid, now),
    }


def _delivery(send_state: SendState, now: Now, info: DaemonInfo) -> Json:
    reason = send_state.no_device_reason
    return {
        "state": send_state.status.value,
        "error": _NO_TOKEN if info.has_token_problem else _SENDING[send_state.status],
        "paused_for": round(max(0.0, send_state.paused_until - now.mono), 1),
        "reaches_device": not reason or reason.startswith(KEPT_IN_INBOX),
    }
