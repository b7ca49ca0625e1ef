"""The composition root: what lives as long as the process, and the order of start and stop."""

import asyncio
import random
import secrets
import socket
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import structlog

from notifyd.api.server import serve
from notifyd.api.unix import UnixListener
from notifyd.config.load import load
from notifyd.config.paths import socket_path, state_dir
from notifyd.config.settings import Settings
from notifyd.config.token import TokenSource, find_token
from notifyd.delivery.client import SendClient
from notifyd.delivery.worker import deliver
from notifyd.engine.clock import Clock, boot_id
from notifyd.engine.control import ControlService
from notifyd.engine.engine import Engine
from notifyd.engine.pipeline import Pipeline
from notifyd.model.errors import (
    ConfigError,
    NotifydError,
    NoTokenError,
    StoreUnavailableError,
    TokenError,
)
from notifyd.model.notifications import SOCKET, Json
from notifyd.outbox.store import OutboxStore
from notifyd.shaping.codec import latest_time, restore_state
from notifyd.shaping.inputs import Configured, SendingAllowed
from notifyd.telemetry import logging
from notifyd.telemetry.problem_log import ProblemReporter
from notifyd.telemetry.status import build_status, health

_READY_TIMEOUT = 5.0
"""Seconds that sources get to look at what is there before the socket opens all the same."""
_SOURCES_TIMEOUT = 1.0
"""Seconds that sources get at the end to commit what they have read."""
_DELIVERY_TIMEOUT = 3.0
"""Seconds that delivery gets at the end; what is left waits in the outbox."""
_COMMIT_TIMEOUT = 2.0
"""Seconds that the driver gets at the end, where storing is in trouble."""
_MAINTENANCE_INTERVAL = 30.0
"""Seconds between two looks, in quiet hours, at the database's place and the wall clock."""
_FIXED = ("socket", "state")
"""Sections of the configuration that a reload cannot change."""

log = structlog.get_logger()


class App:
    """One daemon. Signals and exit statuses belong to the command line: a test may run two.

    config: the file to read again at a reload; None where it is found by the usual rules.
    environ: a copy of the environment, with the token that the process's own no longer has.
    """

    def __init__(
        self,
        settings: Settings,
        token: TokenSource,
        *,
        config: Path | None,
        environ: Mapping[str, str],
    ) -> None:
        self._settings, self._token = settings, token
        self._config, self._environ = config, environ
        self._stop = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._reload_error = ""
        self._problem_reporter = ProblemReporter()
        self._up = asyncio.Event()
        self._sources: asyncio.Task[None] | None = None
        self._delivery: asyncio.Task[None] | None = None
        self._started = time.monotonic()

    def stop(self) -> None:
        """Ask for an orderly end: commit, a short last delivery, then `run` returns."""
        self._stop.set()

    async def run(self, ready: Callable[[Path | None], None]) -> None:
        """Run until `stop`. ready: told the socket's path once everything runs."""
        settings = self._settings
        folder = state_dir(settings.state.dir, self._environ)
        path = socket_path(settings.socket.path, folder, self._environ)
        try:
            async with AsyncExitStack() as stack:
                listener = stack.enter_context(
                    UnixListener.open(path, settings.socket, self._environ)
                )
                store = await stack.enter_async_context(OutboxStore(folder))
                scanning = ThreadPoolExecutor(1, "scan")
                stack.callback(scanning.shutdown, wait=False, cancel_futures=True)
                self._own = (folder, path, path.with_name(path.name + ".lock"))
                await self._compose(folder, store, scanning)
                await self._live(listener, ready)
        except* NotifydError as errors:
            raise errors.exceptions[0] from None

    async def _compose(
        self, folder: Path, store: OutboxStore, scanning: ThreadPoolExecutor
    ) -> None:
        self._folder, self._store, self._scanning = folder, store, scanning
        self._pipeline = self._build_pipeline(self._settings)
        stored = await store.load()
        self._clock = Clock(stored.clock, boot=boot_id())
        seed = secrets.token_hex(16)
        state = restore_state(
            stored.state_entries, stored.notifications, seed=seed, now=self._clock.now()
        )
        if latest_time(state) > self._clock.now().mono:  # a damaged store may have lost the reading
            self._clock.advance_to(latest_time(state))
            state = restore_state(
                stored.state_entries, stored.notifications, seed=seed, now=self._clock.now()
            )
        pipeline = self._pipeline
        self._engine = Engine(store, state, self._clock, pipeline.rules, pipeline.render)

    def _build_pipeline(self, settings: Settings) -> Pipeline:
        return Pipeline(
            settings,
            host=socket.gethostname(),
            workspace=self._environ.get("OBLIEN_WORKSPACE_ID", ""),
            own=self._own,
            cache=self._folder / "patterns",
            scanning=self._scanning,
            wall=time.time,
            positions=self._store.load_checkpoints,
        )

    async def _live(self, listener: UnixListener, ready: Callable[[Path | None], None]) -> None:
        async with asyncio.TaskGroup() as self._group:
            engine = self._group.create_task(self._engine.run(), name="engine")
            maintenance = self._group.create_task(
                self._engine.run_maintenance(_MAINTENANCE_INTERVAL), name="maintenance"
            )
            if await self._before_stop(self._start()):
                async with serve(self._control_service(), self._settings.socket, listener):
                    ready(listener.path)
                    self._up.set()
                    await self._stop.wait()
                    await _ended(self._sources, _SOURCES_TIMEOUT)
                with suppress(TimeoutError):
                    async with asyncio.timeout(_DELIVERY_TIMEOUT):
                        await self._engine.wait_idle()
            for task in (self._sources, self._delivery, maintenance):
                await _ended(task, 0)
            self._engine.stop()
            await _ended(engine, _COMMIT_TIMEOUT, cancel=False)
            engine.cancel()

    async def _start(self) -> None:
        self._delivery = self._group.create_task(self._run_delivery(), name="delivery")
        self._sources = self._group.create_task(self._run_sources(), name="sources")
        with suppress(TimeoutError):
            async with asyncio.timeout(_READY_TIMEOUT):
                await self._pipeline.wait_ready()

    async def _before_stop(self, work: Coroutine[None, None, None]) -> bool:
        """Do some work unless the stop comes first; tells whether it was done."""
        working = asyncio.create_task(work)
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            working.cancel()
        if working.done():
            working.result()
        return working.done()

    def _control_service(self) -> ControlService:
        return ControlService(self._engine, self._store, self)

    async def _run_delivery(self) -> None:
        api = self._settings.api
        async with SendClient(api.url, api.timeout) as client:
            await self._engine.start_worker()
            await deliver(
                self._engine, client, self._token, now=self._clock.now, random=random.random
            )

    async def _run_sources(self) -> None:
        await self._pipeline.run(self._engine, self._problem_reporter)

    async def reload(self) -> Json:
        """Read the configuration again; where it is wrong, all goes on as it was."""
        await self._up.wait()
        async with self._reloading:
            try:
                settings, token, pipeline = await asyncio.to_thread(self._load_configuration)
                if self._engine.store_error:
                    raise StoreUnavailableError(self._engine.store_error)
            except NotifydError as error:
                problems = error.problems if isinstance(error, ConfigError) else [str(error)]
                self._reload_error = "\n".join(problems)
                log.warning("reload refused: the old configuration goes on", problems=problems)
                return {"reloaded": False, "problems": problems, "restart": []}
            before, self._reload_error = self._settings, ""
            self._settings, self._token = settings, token
            await self._swap(pipeline, before)
            restart = [name for name in _FIXED if getattr(before, name) != getattr(settings, name)]
            log.info("configuration reloaded", triggers=len(settings.triggers))
            return {"reloaded": True, "problems": [], "restart": restart}

    def _load_configuration(self) -> tuple[Settings, TokenSource, Pipeline]:
        loaded = load(self._config, self._environ)
        token = find_token(loaded.settings.api, self._environ, loaded.files)
        with suppress(NoTokenError):  # one may come later, and status says so meanwhile
            token.read()
        return loaded.settings, token, self._build_pipeline(loaded.settings)

    async def _swap(self, pipeline: Pipeline, before: Settings) -> None:
        """Let the old sources end and commit, then start the new ones from there."""
        logging.configure(self._settings.log.level, self._settings.log.format)
        await _ended(self._sources)
        await self._engine.apply([Configured(pipeline.rules), SendingAllowed()])
        self._pipeline, self._engine.render = pipeline, pipeline.render
        if self._settings.api != before.api:
            await _ended(self._delivery)
        if self._stop.is_set():
            return
        self._sources = self._group.create_task(self._run_sources(), name="sources")
        if self._delivery is None or self._delivery.done():
            self._delivery = self._group.create_task(self._run_delivery(), name="delivery")

    def trigger_types(self) -> dict[str, str]:
        triggers = {name: trigger.type for name, trigger in self._settings.triggers.items()}
        return {**triggers, SOCKET: SOCKET}

    def status(self) -> Json:
        return build_status(
            self._engine.state,
            self._clock.now(),
            trouble=self._engine.store_error,
            sources=self._pipeline.health(),
            triggers={name: trigger.type for name, trigger in self._settings.triggers.items()},
            token_source=self._token.name,
            token_problem=_problem(self._token),
            url=self._settings.api.url,
            uptime=time.monotonic() - self._started,
            reload_error=self._reload_error,
            herald=self._engine.delivery_reporter.described(),
        )

    def metrics(self) -> bytes:
        from notifyd.telemetry.metrics import render_metrics  # noqa: PLC0415 - paid for by who asks for it

        return render_metrics(self.status())

    def health(self) -> tuple[bool, str]:
        gate = self._engine.state.global_state.send_state
        return health(gate, self._engine.store_error, self._pipeline.health())


def _problem(token: TokenSource) -> str:
    try:
        token.read()
    except TokenError as error:
        return str(error)
    return token.warning


async def _ended(
    task: asyncio.Task[None] | None, within: float | None = None, *, cancel: bool = True
) -> None:
    """Wait for a task, `within` seconds at most; what it was doing is committed or read again."""
    if task is not None:
        if cancel:
            task.cancel()
        await asyncio.wait({task}, timeout=within)
