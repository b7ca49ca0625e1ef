"""`notifyd run`: the daemon in the foreground. Signals live here and nowhere else."""

import argparse
import asyncio
import os
import resource
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import structlog

from notifyd import __version__
from notifyd.app import App
from notifyd.config.files import FILE_NAME, default_dirs
from notifyd.config.load import LoadedConfig, load
from notifyd.config.token import TokenSource, find_token, remove_token
from notifyd.model.errors import NotifydError, NoTokenError
from notifyd.telemetry import logging
from notifyd.telemetry.systemd import sd_notify

HELP = "Run the daemon in the foreground: SIGTERM ends it in order, SIGHUP reads the config again."
_LAST_WALK = 1.0

log = structlog.get_logger()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="instead of the usual places")


def run(args: argparse.Namespace) -> int:
    environ = dict(os.environ)
    loaded = load(args.config, environ)
    token = find_token(loaded.settings.api, environ, loaded.files)
    awaited = _missing(token)
    remove_token(os.environ)
    logging.configure(loaded.settings.log.level, loaded.settings.log.format)
    if awaited:
        log.warning("no send token yet; notifications stay queued", fix=awaited)
    for warning in filter(None, (*loaded.warnings, token.warning)):
        log.warning(warning)
    if not loaded.files and not loaded.settings.triggers:
        log.warning(_without_file(environ))
    _allow_descriptors()
    app = App(loaded.settings, token, config=args.config, environ=environ)
    asyncio.run(serve(app, loaded))
    return 0


def _missing(token: TokenSource) -> str:
    """Say what is missing where there is no token yet; one that can never be right is an error."""
    try:
        token.read()
    except NoTokenError as error:
        return str(error)
    return ""


def _without_file(environ: dict[str, str]) -> str:
    files = " or ".join(str(folder / FILE_NAME) for folder in default_dirs(environ))
    return (
        "there is no configuration file, so nothing is watched and only the socket is served: "
        f"write {files}"
    )


def _allow_descriptors() -> None:
    """Use what the administrator allows: every watched process and log holds a descriptor."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # then the sources say so when they run out
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def serve(app: App, loaded: LoadedConfig) -> None:
    """Run the app under this process's signals."""
    loop = asyncio.get_running_loop()
    hangups = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, app)
    loop.add_signal_handler(signal.SIGHUP, hangups.set)

    def ready(socket: Path | None) -> None:
        triggers = len(loaded.settings.triggers)
        log.info("notifyd runs", version=__version__, triggers=triggers, socket=str(socket or ""))
        sd_notify("READY=1", f"STATUS={triggers} triggers")

    async with asyncio.TaskGroup() as group:
        reloading = group.create_task(_reload_on(hangups, app))
        await app.run(ready)
        reloading.cancel()
    log.info("notifyd ends: what was not delivered waits for the next start")
    _leave_within(_LAST_WALK)


def _leave_within(seconds: float) -> None:
    """End without the threads that still walk a huge or hung file system: all is on disk."""
    leaving = threading.Timer(seconds, os._exit, [0])
    leaving.daemon = True
    leaving.start()


def _stop(app: App) -> None:
    sd_notify("STOPPING=1")
    app.stop()


async def _reload_on(hangups: asyncio.Event, app: App) -> None:
    while True:
        await hangups.wait()
        hangups.clear()
        sd_notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            await app.reload()
        except NotifydError as error:  # it ends while it reloads
            log.warning("not reloaded", reason=str(error))
        sd_notify("READY=1")
