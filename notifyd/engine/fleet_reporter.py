"""Reports to a relay, at intervals and when the daemon starts, wakes or stops."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import structlog

import notifyd
from notifyd.config.token import TokenSource
from notifyd.delivery.fleet_client import FleetClient, ReportOutcome
from notifyd.model.errors import TokenError
from notifyd.model.notifications import Json

INTERVAL = 60.0
"""Seconds between two reports."""

UNSUPPORTED_INTERVAL = 3600.0
"""Seconds until a server that takes no reports is asked again."""

GOODBYE_TIMEOUT = 2.0
"""Seconds for the last report when the daemon stops."""

_JITTER = 0.1

log = structlog.get_logger()


class Announcement(NamedTuple):
    """word: what the daemon says of the time that follows. slept: seconds of a gap before."""

    word: str
    slept: float = 0.0


def next_delay(outcome: ReportOutcome, interval: float, random: float) -> float:
    """Return the seconds until the next report. random: a number in [0, 1)."""
    base = interval if outcome.is_supported else UNSUPPORTED_INTERVAL
    return base * (1.0 - _JITTER + 2 * _JITTER * random)


class FleetReporter:
    """build: returns a report. random: returns a number in [0, 1)."""

    def __init__(
        self,
        build: Callable[[float], Json],
        random: Callable[[], float],
        *,
        interval: float = INTERVAL,
    ) -> None:
        self._build, self._random, self._interval = build, random, interval
        self._announcement: Announcement | None = Announcement("started")
        self._announced = asyncio.Event()
        self._last: ReportOutcome | None = None

    def note_gap(self, seconds: float) -> None:
        """Report soon that the machine has slept for so long."""
        self._announcement = Announcement("awake", seconds)
        self._announced.set()

    async def run(
        self, url: str, token: TokenSource, *, is_ephemeral: bool, stopping: asyncio.Event
    ) -> None:
        """Report until `stopping`, and then that the daemon stops.

        url: of the relay. is_ephemeral: whether the workspace comes and goes.
        """
        more: Json = {"ephemeral": is_ephemeral}
        async with FleetClient(url) as client:
            reports = asyncio.create_task(self._run_reports(client, token, more))
            try:
                await stopping.wait()
            finally:
                reports.cancel()
                await asyncio.wait({reports})
            if self._last is not None and self._last.is_supported:
                word = "updating" if is_being_updated() else "stopping"
                with suppress(TimeoutError):
                    async with asyncio.timeout(GOODBYE_TIMEOUT):
                        await self._report(client, token, more, Announcement(word))

    async def _run_reports(self, client: FleetClient, token: TokenSource, more: Json) -> None:
        while True:
            self._announced.clear()
            announcement = self._announcement
            outcome = await self._report(client, token, more, announcement)
            if outcome.is_accepted and self._announcement is announcement:
                self._announcement = None
            try:
                async with asyncio.timeout(next_delay(outcome, self._interval, self._random())):
                    await self._announced.wait()
            except TimeoutError:
                continue

    async def _report(
        self,
        client: FleetClient,
        token: TokenSource,
        more: Json,
        announcement: Announcement | None,
    ) -> ReportOutcome:
        report = self._build(self._interval) | more
        if announcement is not None:
            report |= {"announcement": announcement.word, "slept": announcement.slept}
        try:
            secret = token.read()
        except TokenError as error:
            outcome = ReportOutcome(is_accepted=False, error=str(error))
        else:
            outcome = await client.report(report, secret)
        self._log_change(outcome)
        return outcome

    def _log_change(self, outcome: ReportOutcome) -> None:
        """Log once that reports fail, and once that they do no longer."""
        before, self._last = self._last, outcome
        if before is not None and before == outcome:
            return
        if not outcome.is_supported:
            log.warning(
                "the server takes no reports; only a relay of notifyd does",
                fix="remove `report` from [relay], or set [api] url to the relay",
            )
        elif outcome.error:
            log.warning("report to the relay failed; trying again", error=outcome.error)
        elif before is not None:
            log.info("reports to the relay recovered")


def is_being_updated() -> bool:
    """Return whether another version than the running one is installed by now, or none."""
    try:
        text = Path(notifyd.__file__).read_text("utf-8")
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False
    return f'__version__ = "{notifyd.__version__}"' not in text
