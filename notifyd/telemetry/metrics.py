"""The status as Prometheus metrics, for `/metrics`. Imported on the first request."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import ProcessCollector
from prometheus_client.core import (
    CollectorRegistry,
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

_BY_TRIGGER = {
    "matches": "Events that matched a trigger.",
    "notifications": "Notifications that entered the outbox.",
    "below_threshold": "Matches that never reached the threshold.",
}
_SENDING = ("ok", "waiting", "refused", "endpoint")
_TOKEN = ("ok", "missing", "unusable", "refused")

Status = Mapping[str, Any]
"""As `status.build_status` returns it or, for one user, `own_status.build_own_status`."""


def render_metrics(status: Status) -> bytes:
    """Return Prometheus' text format. Labels are names or words from fixed sets."""
    registry = CollectorRegistry()
    registry.register(_StatusCollector(status))
    if status["scope"] == "all":
        ProcessCollector(registry=registry)
    return generate_latest(registry)


class _StatusCollector(Collector):
    def __init__(self, status: Status) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        status = self._status
        yield InfoMetricFamily("notifyd", "This daemon.", {"version": status["version"]})
        yield from _outbox(status["outbox"])
        yield from _sending(status["delivery"])
        yield _state("token_state", "State of the send token.", _TOKEN, status["token"]["state"])
        if status["scope"] == "own":
            return
        yield from _triggers(
            status["triggers"] | {name: status[name] for name in ("socket", "agents")}
        )
        help_text = "Matches that wait for the next digest."
        yield _gauges("held_back_matches", help_text, "reason", status["held_back"])
        yield from _delivery(status["delivery"])
        yield from _sources(status["sources"])
        reloaded = not status["reload"]["error"]
        yield _gauge("reload_ok", "1 if the last reload was accepted.", reloaded)


def _triggers(triggers: Status) -> Iterator[Metric]:
    for name, help_text in _BY_TRIGGER.items():
        counts = {trigger: counters[name] for trigger, counters in triggers.items()}
        yield _counters(name, help_text, "trigger", counts)
    pending = {trigger: counters["pending"] for trigger, counters in triggers.items()}
    help_text = "Matches that wait for a debounce or a cooldown to end."
    yield _gauges("pending_matches", help_text, "trigger", pending)
    beats = {name: each["heartbeat"] for name, each in triggers.items() if "heartbeat" in each}
    up = {name: int(beat["state"] != "down") for name, beat in beats.items()}
    yield _gauges("heartbeat_up", "0 if the job is late, failed or runs too long.", "trigger", up)
    pinged = {name: beat["last_ping"] for name, beat in beats.items()}
    help_text = "When the last ping came, in seconds since the epoch; 0 for never."
    yield _gauges("heartbeat_last_ping_seconds", help_text, "trigger", pinged)


def _outbox(outbox: Status) -> Iterator[Metric]:
    attempting = outbox["attempting"]
    waiting = {
        "held": outbox["held"],
        "queued": outbox["waiting"] - attempting,
        "attempting": attempting,
    }
    yield _gauges(
        "outbox_notifications", "Notifications that wait in the outbox.", "status", waiting
    )
    help_text = "Age of the oldest waiting notification; 0 if there is none."
    yield _gauge("outbox_oldest_age_seconds", help_text, outbox["oldest_age"])
    yield _gauge("store_ok", "1 if the database can be written.", outbox["store"] == "ok")


def _sending(delivery: Status) -> Iterator[Metric]:
    yield _state("delivery_state", "State of sending.", _SENDING, delivery["state"])
    help_text = "Seconds until the next attempt, because of backoff, Retry-After or probe."
    yield _gauge("delivery_paused_seconds", help_text, delivery["paused_for"])
    help_text = "1 if the last accepted notification reached a device."
    yield _gauge("delivery_reaches_device", help_text, delivery["reaches_device"])


def _delivery(delivery: Status) -> Iterator[Metric]:
    help_text = "Requests to the API that were started."
    yield CounterMetricFamily("notifyd_delivery_attempts", help_text, delivery["attempts"])
    help_text = "Attempts by outcome."
    yield _counters("deliveries", help_text, "verdict", delivery["outcomes"])
    causes = {delivery["cause"]: 1} if delivery["cause"] else {}
    yield _gauges(
        "delivery_trouble", "1 for the cause for which sending is paused.", "cause", causes
    )
    help_text = "Consecutive failed attempts."
    yield _gauge("delivery_failures_in_a_row", help_text, delivery["failures"])


def _sources(sources: Iterable[Status]) -> Iterator[Metric]:
    up, watching, problems = {}, {}, {}
    timed_out: dict[str, int] = {}
    cut: dict[str, int] = {}
    dropped: dict[str, int] = {}
    for source in sources:
        name = source["name"]
        up[name], watching[name] = int(not source["dead"]), source["watching"]
        problems[name] = len(source["problems"])
        timed_out |= source["undecided"]
        cut |= source["cut_lines"]
        dropped |= source["lost"]
    yield _gauges("source_up", "1 if the source is running.", "source", up)
    yield _gauges(
        "source_watching", "Files, units or processes that the source watches.", "source", watching
    )
    yield _gauges(
        "source_problems", "Problems of the source, as listed in the status.", "source", problems
    )
    help_text = "Lines that no pattern could decide within the time limit."
    yield _counters("undecided_lines", help_text, "trigger", timed_out)
    help_text = "Lines longer than max_line, of which patterns saw the beginning."
    yield _counters("cut_lines", help_text, "trigger", cut)
    help_text = "Journal entries that journald's rate limit dropped."
    yield _counters("lost_entries", help_text, "trigger", dropped)


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"notifyd_{name}", help_text, float(value))


def _gauges(name: str, help_text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"notifyd_{name}", help_text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _counters(name: str, help_text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(f"notifyd_{name}", help_text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _state(name: str, help_text: str, states: tuple[str, ...], current: str) -> Metric:
    return _gauges(name, help_text, "state", {state: float(state == current) for state in states})
