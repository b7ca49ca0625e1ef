"""The composition root: opens what lives as long as the process, before any of it runs.

Three lifetimes, from long to short: what `App` opens lasts as long as the process, a `Daemon`
runs it, and a `Configuration` lasts until a reload replaces it as a whole.
"""

import asyncio
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path

import structlog

from notifyd.api.spool_directory import SpoolDirectory
from notifyd.api.unix import UnixListener
from notifyd.config.credentials import ApiCredentials, find_credentials
from notifyd.config.files import find_config_file
from notifyd.config.load import load
from notifyd.config.paths import socket_path, state_dir
from notifyd.config.sections import ListenConfig
from notifyd.config.settings import Settings
from notifyd.config.token import ListenSecrets, TokenSource, find_token
from notifyd.engine.clock import Clock, boot_id
from notifyd.engine.configuration import Configuration
from notifyd.engine.daemon import MAINTENANCE_INTERVAL, Daemon, Inlets
from notifyd.engine.engine import Engine
from notifyd.engine.pipeline import Pipeline
from notifyd.engine.sources import PipelineContext
from notifyd.http.tcp import listen_tcp
from notifyd.model.errors import NotifydError, NoTokenError
from notifyd.model.notifications import Json
from notifyd.model.spool import FOLDER, SYSTEM_SPOOL
from notifyd.outbox.location import check_directory
from notifyd.outbox.store import OutboxStore
from notifyd.shaping.codec import latest_time, restore_state
from notifyd.shaping.state import State
from notifyd.sources.platform.fetching import OpenFetcher
from notifyd.telemetry.systemd import ServiceManager

log = structlog.get_logger()


class App:
    """One daemon. Signals and exit statuses belong to the command line; a test may run two.

    config: the file to read at a reload; None to find it by the usual rules. environ: a copy of
    the environment that still has the token, which the process's own no longer has. wall: the
    wall clock. maintenance: seconds between two looks at the clocks.
    """

    def __init__(
        self,
        settings: Settings,
        token: TokenSource,
        *,
        config: Path | None,
        environ: Mapping[str, str],
        wall: Callable[[], float] = time.time,
        maintenance: float = MAINTENANCE_INTERVAL,
    ) -> None:
        self._settings, self._token = settings, token
        self._wall, self._maintenance = wall, maintenance
        self._config_path, self._environ = config, environ
        self.service_manager = ServiceManager(environ)
        self._daemon: Daemon | None = None
        self._serving, self._stopping = asyncio.Event(), asyncio.Event()

    def stop(self) -> None:
        """Start an orderly shutdown: commit, finish the request in flight; then `run` returns."""
        self._stopping.set()

    async def run(self, on_ready: Callable[[Path | None], None]) -> None:
        """Run until `stop`. on_ready: called with the socket's path once everything runs."""

        def serving(path: Path | None) -> None:
            on_ready(path)
            self._serving.set()

        try:
            async with AsyncExitStack() as stack:
                self._daemon = await self._open(stack)
                self._daemon.maintenance_interval = self._maintenance
                await self._daemon.run(serving)
        except* NotifydError as errors:
            raise errors.exceptions[0] from None

    async def reload(self) -> Json:
        """Reload the configuration as soon as the daemon runs."""
        await self._serving.wait()
        if self._daemon is None:
            raise RuntimeError("the daemon does not run")
        return await self._daemon.reload()

    async def _open(self, stack: AsyncExitStack) -> Daemon:
        """Open everything that can fail, each with its teardown, before any of it runs."""
        settings, environ = self._settings, self._environ
        folder = state_dir(settings.state.dir, environ)
        path = socket_path(settings.socket.path, folder, environ)
        listen_secrets = ListenSecrets.read(settings.listen, settings.webhooks)
        listener = stack.enter_context(UnixListener.open(path, settings.socket, environ))
        if listener.is_inherited and (ignored := _ignored_keys(settings)):
            log.warning(
                "ignored keys of [socket]: systemd passes the socket",
                keys=ignored,
                fix="set SocketMode=, SocketGroup= or ListenStream= in the socket unit",
            )
        path = listener.path or path
        tcp_socket = _open_tcp(settings.listen, stack)
        store = await stack.enter_async_context(OutboxStore(folder))
        if unsafe := check_directory(folder):
            log.warning(unsafe)
        scan_executor = ThreadPoolExecutor(1, "scan")
        stack.callback(scan_executor.shutdown, wait=False, cancel_futures=True)
        credentials = find_credentials(environ)
        context = PipelineContext(
            host=socket.gethostname(),
            workspace=environ.get("OBLIEN_WORKSPACE_ID", ""),
            own_paths=(folder, path, path.with_name(path.name + ".lock")),
            pattern_cache=folder / "patterns",
            scan_executor=scan_executor,
            load_checkpoints=store.load_checkpoints,
            wall=self._wall,
            open_fetcher=_fetcher_opener(credentials) if credentials else None,
            environ=environ,
        )
        pipeline = Pipeline(settings, context)
        clock, state = await _restore(store, self._wall)
        engine = Engine(store, state, clock, pipeline.rules, pipeline.render)
        engine.delivery_reporter.known_error = self._token.absence
        return Daemon(
            Inlets(listener, tcp_socket, _spool_directories(folder)),
            store,
            engine,
            Configuration(settings, self._token, listen_secrets, pipeline, self._config_file()),
            load=partial(self._load, context),
            stopping=self._stopping,
            manager=self.service_manager,
        )

    def _load(self, context: PipelineContext) -> Configuration:
        """Read the configuration again and build all of it; runs on another thread."""
        loaded = load(self._config_path, self._environ)
        token = find_token(loaded.settings.api, self._environ, loaded.files)
        with suppress(NoTokenError):  # a token may come later; status reports that it is missing
            token.read()
        listen_secrets = ListenSecrets.read(loaded.settings.listen, loaded.settings.webhooks)
        pipeline = Pipeline(loaded.settings, context)
        return Configuration(loaded.settings, token, listen_secrets, pipeline, self._config_file())

    def _config_file(self) -> Path | None:
        return find_config_file(self._config_path, self._environ)


def _ignored_keys(settings: Settings) -> str:
    """Return the keys of [socket] that have no effect on a socket that systemd passes."""
    return ", ".join(sorted({"path", "mode", "group"} & settings.socket.model_fields_set))


def _fetcher_opener(credentials: ApiCredentials) -> Callable[[str], OpenFetcher]:
    from notifyd.engine.platform_fetcher import PlatformFetcher  # noqa: PLC0415 - only with them

    return partial(PlatformFetcher, credentials)


def _open_tcp(listen: ListenConfig, stack: AsyncExitStack) -> socket.socket | None:
    """Listen on `[listen] tcp` if it is set; the stack closes the socket."""
    if listen.tcp is None:
        return None
    return stack.enter_context(listen_tcp(*listen.tcp, "[listen] tcp"))


def _spool_directories(state: Path) -> tuple[SpoolDirectory, ...]:
    """Return the spool of this daemon, and the system's, which the service's user owns."""
    return SpoolDirectory(state / FOLDER), SpoolDirectory(Path(SYSTEM_SPOOL), is_shared=True)


async def _restore(store: OutboxStore, wall: Callable[[], float]) -> tuple[Clock, State]:
    """Restore the clock and the state that the last process stored."""
    stored = await store.load()
    clock = Clock(stored.clock, boot=boot_id(), wall=wall)
    entries, waiting, seed = stored.state_entries, stored.notifications, secrets.token_hex(16)
    state = restore_state(entries, waiting, seed=seed, now=clock.now())
    latest = latest_time(state)
    if latest > clock.now().mono:  # a damaged database has lost the clock's reading
        clock.advance_to(latest)
        state = restore_state(entries, waiting, seed=seed, now=clock.now())
    return clock, state
