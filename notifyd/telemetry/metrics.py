"""What `/metrics` says: the status as Prometheus reads it. Imported when somebody asks first."""

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
    "matches": "Events that a trigger's patterns or conditions matched.",
    "notifications": "Notifications that entered the outbox.",
    "below_threshold": "Matches that never reached their threshold.",
}
_SENDING = ("ok", "waiting", "refused", "endpoint")
_TOKEN = ("ok", "unusable", "refused")

Status = Mapping[str, Any]
"""As `status.describe` makes it."""


def render_metrics(status: Status) -> bytes:
    """Write Prometheus' text format. Labels are names and words out of fixed sets, never text."""
    registry = CollectorRegistry()
    registry.register(_Status(status))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Status(Collector):
    def __init__(self, status: Status) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        status = self._status
        yield InfoMetricFamily("notifyd", "This daemon.", {"version": status["version"]})
        yield from _triggers(status["triggers"] | {"socket": status["socket"]})
        yield from _outbox(status["outbox"], status["held_back"])
        yield from _delivery(status["delivery"])
        yield _state("token_state", "How the send token is.", _TOKEN, status["token"]["state"])
        yield from _sources(status["sources"])
        reloaded = not status["reload"]["error"]
        yield _gauge("reload_ok", "Whether the last reload was accepted.", reloaded)


def _triggers(triggers: Status) -> Iterator[Metric]:
    for name, about in _BY_TRIGGER.items():
        counts = {trigger: figures[name] for trigger, figures in triggers.items()}
        yield _counters(name, about, "trigger", counts)
    pending = {trigger: figures["pending"] for trigger, figures in triggers.items()}
    about = "Matches that wait for a debounce or a cooldown to end."
    yield _gauges("pending_matches", about, "trigger", pending)


def _outbox(outbox: Status, held_back: Status) -> Iterator[Metric]:
    attempting = outbox["attempting"]
    rows = {
        "held": outbox["held"],
        "queued": outbox["waiting"] - attempting,
        "attempting": attempting,
    }
    yield _gauges("outbox_notifications", "Notifications that wait.", "status", rows)
    about = "Age of the oldest notification that waits; 0 if none does."
    yield _gauge("outbox_oldest_age_seconds", about, outbox["oldest_age"])
    about = "Matches that wait for their digest to be told."
    yield _gauges("held_back_matches", about, "reason", held_back)
    yield _gauge("store_ok", "Whether commits succeed.", outbox["store"] == "ok")


def _delivery(delivery: Status) -> Iterator[Metric]:
    about = "Requests given to the API, or about to be."
    yield CounterMetricFamily("notifyd_delivery_attempts", about, delivery["attempts"])
    about = "What the attempts came to."
    yield _counters("deliveries", about, "verdict", delivery["outcomes"])
    yield _state("delivery_state", "How sending is.", _SENDING, delivery["state"])
    causes = {delivery["cause"]: 1} if delivery["cause"] else {}
    yield _gauges("delivery_trouble", "Why sending waits, as one word.", "cause", causes)
    about = "Attempts that failed in a row."
    yield _gauge("delivery_failures_in_a_row", about, delivery["failures"])
    about = "Seconds for which nothing is sent yet, by backoff, Retry-After or probe."
    yield _gauge("delivery_paused_seconds", about, delivery["paused_for"])
    about = "Whether the last notification that the API took reached a device."
    yield _gauge("delivery_reaches_device", about, not delivery["warning"])


def _sources(sources: Iterable[Status]) -> Iterator[Metric]:
    up, watching, problems = {}, {}, {}
    undecided: dict[str, int] = {}
    lost: dict[str, int] = {}
    for source in sources:
        name = source["name"]
        up[name], watching[name] = int(not source["dead"]), source["watching"]
        problems[name] = len(source["problems"])
        undecided |= source["undecided"]
        lost |= source["lost"]
    yield _gauges("source_up", "Whether a source watches.", "source", up)
    yield _gauges("source_watching", "Files or processes watched.", "source", watching)
    yield _gauges("source_problems", "Problems that status names.", "source", problems)
    about = "Lines that no pattern could decide in time."
    yield _counters("undecided_lines", about, "trigger", undecided)
    about = "Journal entries that journald's rate limit dropped."
    yield _counters("lost_entries", about, "trigger", lost)


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"notifyd_{name}", about, float(value))


def _gauges(name: str, about: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"notifyd_{name}", about, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _counters(name: str, about: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(f"notifyd_{name}", about, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _state(name: str, about: str, states: tuple[str, ...], current: str) -> Metric:
    return _gauges(name, about, "state", {state: float(state == current) for state in states})
