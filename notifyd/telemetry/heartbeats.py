"""What status and `explain` show of a heartbeat. Pure."""

from notifyd.model.events import Now
from notifyd.model.notifications import Json
from notifyd.shaping.group import NEVER
from notifyd.shaping.heartbeat import Heartbeat
from notifyd.shaping.state import State


def heartbeat_part(state: State, trigger: str, now: Now) -> Json:
    """Return `{"heartbeat": …}`; empty for a trigger of another type."""
    heartbeat = state.heartbeats.get(trigger)
    return {"heartbeat": describe_heartbeat(heartbeat, now)} if heartbeat else {}


def describe_heartbeat(heartbeat: Heartbeat, now: Now) -> Json:
    """Return the last ping and when the next alarm is due, as wall-clock times; 0 if there is none.

    last_runtime: seconds; None if the last run had no start.
    """
    has_deadline = heartbeat.deadline < NEVER
    return {
        "state": _state(heartbeat),
        "last_ping": heartbeat.pinged_at,
        "last_signal": heartbeat.signal or "",
        "last_runtime": round(heartbeat.runtime, 1) if heartbeat.runtime >= 0 else None,
        "running": len(heartbeat.runs),
        "deadline": now.wall + heartbeat.deadline - now.mono if has_deadline else 0.0,
    }


def _state(heartbeat: Heartbeat) -> str:
    if heartbeat.is_down:
        return "down"
    if heartbeat.runs:
        return "running"
    return "waiting" if heartbeat.pinged_at else "new"
