"""What the daemon reports of itself to a relay: counts and names, no text of notifications. Pure.

The relay reads it by `notifyd/relay/fleet_schemas.py`.
"""

from collections.abc import Mapping
from typing import Any

from notifyd.model.notifications import Json
from notifyd.shaping.state import State


def build_report(status: Mapping[str, Any], state: State, *, host: str, interval: float) -> Json:
    """Return a report. status: as `build_status` returns it. interval: seconds until the next."""
    return {
        "version": status["version"],
        "host": host,
        "state": status["status"],
        "interval": interval,
        "waiting": status["outbox"]["waiting"] + status["outbox"]["held"],
        "oldest_age": status["outbox"]["oldest_age"],
        "token": status["token"]["state"],
        "worst": _worst_trigger(state),
        "problems": sum(len(source["problems"]) for source in status["sources"])
        + bool(status["reload"]["error"]),
    }


def _worst_trigger(state: State) -> Json | None:
    """Return the condition that is firing with the worst outcome, the oldest of several."""
    firing = [
        (group.trigger, group.condition.event)
        for group in state.groups.values()
        if group.condition is not None
    ]
    if not firing:
        return None
    trigger, event = min(firing, key=lambda each: (-each[1].severity, each[1].wall))
    return {
        "trigger": trigger,
        "since": event.wall,
        "outcome": str(event.facts.get("outcome", "")),
    }
