"""The daemon at work: the order in which its parts start, reload and stop."""

import asyncio
import random
import socket
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from notifyd.api.server import serve, serve_tcp
from notifyd.api.spool import SpoolImporter
from notifyd.api.spool_directory import SpoolDirectory
from notifyd.api.tcp import TcpListener
from notifyd.api.unix import UnixListener
from notifyd.config.token import ListenSecrets
from notifyd.delivery.client import SendClient
from notifyd.delivery.worker import deliver
from notifyd.engine.configuration import Configuration
from notifyd.engine.control import ControlService
from notifyd.engine.daemon_status import DaemonStatus
from notifyd.engine.engine import Engine
from notifyd.engine.fleet_reporter import GOODBYE_TIMEOUT, FleetReporter
from notifyd.engine.gaps import (
    ClockWatch,
    Gap,
    GapDetector,
    GapKind,
    is_stalled,
    suspended_seconds,
)
from notifyd.engine.service_reporter import ServiceReporter
from notifyd.model.agents import AGENTS
from notifyd.model.errors import ConfigError, NotifydError, StoreUnavailableError
from notifyd.model.events import Event, Match
from notifyd.model.notifications import SOCKET, Json, Message, Priority
from notifyd.outbox.store import OutboxStore
from notifyd.shaping.inputs import Configured, SendingAllowed, Stalled
from notifyd.telemetry import logging
from notifyd.telemetry.fleet_report import build_report
from notifyd.telemetry.problem_log import ProblemReporter
from notifyd.telemetry.systemd import ServiceManager
from notifyd.text.durations import format_duration

_READY_TIMEOUT = 5.0
"""Seconds for the sources' first scan; after that the socket opens in any case."""
_SOURCES_TIMEOUT = 1.0
"""Seconds for the sources to commit what they have read when the daemon stops."""
_DELIVERY_TIMEOUT = 3.0
"""Seconds for the request in flight when the daemon stops; the rest stays in the outbox."""
_COMMIT_TIMEOUT = 2.0
"""Seconds for the engine's last commit when the daemon stops and the database is unavailable."""
MAINTENANCE_INTERVAL = 30.0
"""Seconds between two looks at the clocks and the database file, if the kernel reports nothing."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Inlets:
    """Where requests come from. tcp: the listening socket of `[listen] tcp`, if there is one."""

    unix: UnixListener
    tcp: socket.socket | None
    spool: tuple[SpoolDirectory, ...]


class _RestartableTask:
    """A task of a group that a reload stops and starts again."""

    def __init__(
        self, group: asyncio.TaskGroup, name: str, run: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        self._group, self._name, self._run = group, name, run
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the task; do nothing while it runs."""
        if self._task is None or self._task.done():
            self._task = self._group.create_task(self._run(), name=self._name)

    async def stop(self, within: float | None = None) -> None:
        """Cancel the task and wait until it ends, at most `within` seconds.

        What it did not commit is read or sent again by the next one.
        """
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=within)

    async def finish(self, within: float) -> None:
        """Wait at most `within` seconds until the task ends by itself; then cancel it."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=within)
            self._task.cancel()


class Daemon:
    """Runs what is open, from the start to `stopping`.

    load: reads the configuration again and builds all of it. manager: receives the status.
    """

    def __init__(
        self,
        inlets: Inlets,
        store: OutboxStore,
        engine: Engine,
        configuration: Configuration,
        *,
        load: Callable[[], Configuration],
        stopping: asyncio.Event,
        manager: ServiceManager,
    ) -> None:
        self._inlets, self._store, self._engine = inlets, store, engine
        self._configuration, self._load = configuration, load
        self._stopping = stopping
        self.maintenance_interval = MAINTENANCE_INTERVAL
        self._problem_reporter = ProblemReporter()
        self._tasks = asyncio.TaskGroup()
        self._sources = _RestartableTask(self._tasks, "sources", self._run_sources)
        self._delivery = _RestartableTask(self._tasks, "delivery", self._run_delivery)
        self._reports = _RestartableTask(self._tasks, "reports", self._run_reports)
        self._reporter = FleetReporter(self._build_report, random.random)
        self._reloading = asyncio.Lock()
        self._control = ControlService(engine, store, self)
        self._spool = SpoolImporter(inlets.spool, self._control)
        self._status = DaemonStatus(engine, lambda: self._configuration, self._spool)
        self._service_reporter = ServiceReporter(manager, engine, self._status.line)
        engine.on_change = self._service_reporter.notify_change
        engine.event_recorder.mask = configuration.pipeline.mask

    async def run(self, on_serving: Callable[[Path | None], None]) -> None:
        """Run until `stopping`; then stop the sources first and the engine last."""
        async with self._tasks as tasks:
            engine = tasks.create_task(self._engine.run(), name="engine")
            maintenance = tasks.create_task(self._run_maintenance(), name="maintenance")
            self._delivery.start()
            self._sources.start()
            self._start_reports()
            await _wait_first(
                self._configuration.pipeline.wait_ready(),
                self._stopping.wait(),
                within=_READY_TIMEOUT,
            )
            if not self._stopping.is_set():
                await self._serve(on_serving)
                with suppress(TimeoutError):
                    async with asyncio.timeout(_DELIVERY_TIMEOUT):
                        await self._engine.wait_idle()
            await self._sources.stop(0)
            await self._delivery.stop(0)
            maintenance.cancel()
            await self._reports.finish(GOODBYE_TIMEOUT)
            self._engine.stop()
            await asyncio.wait({engine}, timeout=_COMMIT_TIMEOUT)
            engine.cancel()

    async def _serve(self, on_serving: Callable[[Path | None], None]) -> None:
        """Answer on the listeners until `stopping`, and while the sources stop."""
        settings, inlets = self._configuration.settings, self._inlets
        async with AsyncExitStack() as stack:
            spool = self._tasks.create_task(self._spool.run(), name="spool")
            await stack.enter_async_context(serve(self._control, settings.socket, inlets.unix))
            if inlets.tcp is not None and settings.listen.tcp is not None:
                listener = TcpListener(inlets.tcp, settings.listen.tcp.host, self._listen_secrets)
                await stack.enter_async_context(serve_tcp(self._control, settings.socket, listener))
            on_serving(inlets.unix.path)
            # Not before READY=1: systemd drops a reload that comes while it waits for that.
            self._service_reporter.report_status()
            reporter = self._tasks.create_task(self._service_reporter.run(), name="service status")
            await self._stopping.wait()
            spool.cancel()
            await self._sources.stop(_SOURCES_TIMEOUT)
            reporter.cancel()

    def _listen_secrets(self) -> ListenSecrets:
        return self._configuration.secrets

    async def _run_sources(self) -> None:
        await self._configuration.pipeline.run(self._engine, self._problem_reporter)

    async def _run_delivery(self) -> None:
        api, token = self._configuration.settings.api, self._configuration.token
        async with SendClient(api.url, api.timeout) as client:
            await self._engine.start_worker()
            await deliver(self._engine, client, token, now=self._engine.now, random=random.random)

    def _start_reports(self) -> None:
        if self._configuration.settings.relay.report:
            self._reports.start()

    async def _run_reports(self) -> None:
        settings, token = self._configuration.settings, self._configuration.token
        await self._reporter.run(
            settings.api.url,
            token,
            is_ephemeral=settings.relay.ephemeral,
            stopping=self._stopping,
        )

    def _build_report(self, interval: float) -> Json:
        status, host = self._status.build({}), socket.gethostname()
        return build_report(status, self._engine.state, host=host, interval=interval)

    async def _run_maintenance(self) -> None:
        """Check the clocks and the database file, at intervals and whenever the clock is set."""
        gaps = GapDetector(self._engine.now(), suspended_seconds)
        with ClockWatch() as watch:
            while True:
                before = self._engine.now()
                await watch.wait(self.maintenance_interval)
                if is_stalled(before, self.maintenance_interval, self._engine.now()):
                    await self._engine.apply([Stalled()])
                gap = gaps.observe(self._engine.now())
                if gap is not None:
                    await self._reconnect(gap)
                await self._engine.maintain()

    async def _reconnect(self, gap: Gap) -> None:
        """Reopen all connections: after a gap their other ends may be gone.

        A request that was in flight is sent again under its id.
        """
        self._status.last_gap = gap
        cause = "suspend" if gap.kind is GapKind.SUSPEND else "clock set, or machine paused"
        length = format_duration(round(gap.seconds))
        log.info("gap in time; reopening connections", cause=cause, length=length)
        self._reporter.note_gap(gap.seconds)
        async with self._reloading:
            await self._delivery.stop()
            self._configuration.pipeline.reconnect()
            if not self._stopping.is_set():
                self._delivery.start()

    async def reload(self) -> Json:
        """Replace the configuration; if the new one cannot be used, keep the old one."""
        async with self._reloading:
            try:
                new = await asyncio.to_thread(self._load)
                if self._engine.store_error:
                    raise StoreUnavailableError(self._engine.store_error)
            except NotifydError as error:
                return self._refuse_reload(error)
            old, self._status.reload_error = self._configuration.settings, ""
            self._service_reporter.notify_change()
            await self._switch_to(new)
            self._engine.event_recorder.log.end_streams()  # the token may be another
            log.info("configuration reloaded", triggers=len(new.settings.triggers))
            return {
                "reloaded": True,
                "problems": [],
                "restart": new.sections_needing_restart(old),
            }

    def _refuse_reload(self, error: NotifydError) -> Json:
        problems = error.problems if isinstance(error, ConfigError) else [str(error)]
        self._status.reload_error = "\n".join(problems)
        self._service_reporter.notify_change()
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        event = f"kept the old configuration; {count}"
        log.warning(event, problems=problems)
        return {"reloaded": False, "problems": problems, "restart": []}

    async def _switch_to(self, new: Configuration) -> None:
        """Let the old sources commit and stop, then start the new ones from their checkpoints."""
        old = self._configuration
        logging.configure(new.settings.log.level, new.settings.log.format)
        await self._sources.stop()
        await self._engine.apply([Configured(new.pipeline.rules), SendingAllowed()])
        self._configuration, self._engine.render = new, new.pipeline.render
        self._engine.event_recorder.mask = new.pipeline.mask
        has_other_api = (new.settings.api, new.token) != (old.settings.api, old.token)
        if has_other_api:
            await self._delivery.stop()
        if has_other_api or new.settings.relay != old.settings.relay:
            await self._reports.stop()
        if not self._stopping.is_set():
            self._sources.start()
            self._delivery.start()
            self._start_reports()

    # `engine.control.DaemonOperations`

    def trigger_types(self) -> dict[str, str]:
        triggers = self._configuration.settings.triggers
        return {name: trigger.type for name, trigger in triggers.items()} | {
            SOCKET: SOCKET,
            AGENTS: AGENTS,
        }

    def webhook_matches(self, event: Event, name: str) -> tuple[Match, ...]:
        return self._configuration.pipeline.webhook_matches(event, name)

    def sample(self, trigger: str) -> tuple[Message, Priority]:
        return self._configuration.pipeline.sample(trigger, self._engine.now().wall)

    def unfinished_bytes(self, trigger: str) -> int:
        sources = self._configuration.pipeline.health()
        return max((source.unfinished_bytes.get(trigger, 0) for source in sources), default=0)

    def status(self, per_hour: Mapping[str, float]) -> Json:
        return self._status.build(per_hour)

    def own_status(self, uid: int) -> Json:
        return self._status.build_own(uid)

    def metrics(self, uid: int | None) -> bytes:
        return self._status.metrics(uid)

    def health(self) -> tuple[bool, str]:
        return self._status.health()


async def _wait_first(*waits: Coroutine[Any, Any, object], within: float) -> None:
    """Wait until one of them ends, at most `within` seconds; cancel the others."""
    tasks = [asyncio.create_task(each) for each in waits]
    try:
        await asyncio.wait(tasks, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
