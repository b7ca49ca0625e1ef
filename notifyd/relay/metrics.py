"""The relay's figures as Prometheus metrics. Imported on the first request."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

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


class RelayFigures(NamedTuple):
    """requests: by status, since the start. stored: notifications. newest: the highest number.

    workspaces: how many are in each state.
    """

    version: str
    requests: Mapping[int, int]
    request_seconds: float
    pages: int
    stored: int
    newest: int
    workspaces: Mapping[str, int]


def render_metrics(figures: RelayFigures) -> bytes:
    """Return Prometheus' text format. Labels are statuses and states only."""
    registry = CollectorRegistry()
    registry.register(_FiguresCollector(figures))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _FiguresCollector(Collector):
    def __init__(self, figures: RelayFigures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        figures = self._figures
        yield InfoMetricFamily("notifyd_relay", "This relay.", {"version": figures.version})
        requests = CounterMetricFamily(
            "notifyd_relay_requests", "Requests since the start.", labels=["status"]
        )
        for status, number in sorted(figures.requests.items()):
            requests.add_metric([str(int(status))], number)
        yield requests
        yield CounterMetricFamily(
            "notifyd_relay_request_seconds",
            "Seconds that requests took, those of streams included.",
            figures.request_seconds,
        )
        yield GaugeMetricFamily("notifyd_relay_pages", "Open inbox pages.", figures.pages)
        yield GaugeMetricFamily(
            "notifyd_relay_stored_notifications", "Notifications that are stored.", figures.stored
        )
        yield CounterMetricFamily(
            "notifyd_relay_notifications", "Notifications that were ever stored.", figures.newest
        )
        workspaces = GaugeMetricFamily(
            "notifyd_relay_workspaces", "Workspaces of the fleet by state.", labels=["state"]
        )
        for state, number in figures.workspaces.items():
            workspaces.add_metric([state], number)
        yield workspaces
