"""`notifyd run`: run the daemon in the foreground. Only this module handles its signals."""

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
from notifyd.api.unix import refuse_waiting
from notifyd.app import App
from notifyd.cli.options import add_config_option
from notifyd.cli.process_limits import drop_inheritable_rights, forbid_memory_dumps
from notifyd.config.credentials import remove_credentials
from notifyd.config.files import FILE_NAME, default_dirs
from notifyd.config.load import LoadedConfig, load
from notifyd.config.token import (
    find_listen_token,
    find_token,
    find_webhook_secret,
    remove_token,
)
from notifyd.model.errors import NotifydError
from notifyd.telemetry import logging
from notifyd.telemetry.systemd import remove_protocol_variables

HELP = "Run the daemon in the foreground. SIGTERM and SIGINT stop it, SIGHUP reloads it."

EPILOG = """\
examples:
  notifyd run
  notifyd run --config ./notifyd.toml
"""
_EXIT_TIMEOUT = 1.0
"""Seconds that threads get to end after everything is on disk."""

log = structlog.get_logger()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config_option(parser)


def run(args: argparse.Namespace) -> int:
    environ = dict(os.environ)
    try:
        return _run(args, environ)
    except NotifydError:
        refuse_waiting(environ, "notifyd does not start; its log and `notifyd check` say why")
        raise


def _run(args: argparse.Namespace, environ: dict[str, str]) -> int:
    loaded = load(args.config, environ)
    token = find_token(loaded.settings.api, environ, loaded.files)
    missing_token = token.absence
    remove_token(os.environ)
    remove_credentials(os.environ)
    remove_protocol_variables(os.environ)
    forbid_memory_dumps()
    drop_inheritable_rights()
    logging.configure(loaded.settings.log.level, loaded.settings.log.format)
    if missing_token:
        log.warning("notifications stay queued until there is a send token", fix=missing_token)
    settings = loaded.settings
    secrets = find_listen_token(settings.listen), find_webhook_secret(settings.webhooks)
    token_warnings = (source.warning for source in (token, *secrets) if source)
    for warning in filter(None, (*loaded.warnings, *token_warnings)):
        log.warning(warning)
    if loaded.ignored_variables:
        log.info(
            "ignored environment variables of a network service",
            variables=", ".join(loaded.ignored_variables),
        )
    if not loaded.files and not loaded.settings.triggers:
        log.warning(_no_config_warning(environ))
    _raise_descriptor_limit()
    app = App(loaded.settings, token, config=args.config, environ=environ)
    asyncio.run(serve(app, loaded))
    return 0


def _no_config_warning(environ: dict[str, str]) -> str:
    files = " or ".join(str(directory / FILE_NAME) for directory in default_dirs(environ))
    return (
        f"no configuration file; nothing is watched and only the socket is served: create {files}, "
        "or run `notifyd init`"
    )


def _raise_descriptor_limit() -> None:
    """Raise the limit of open files: each watched log and process needs one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # the sources report it if they run out
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def serve(app: App, loaded: LoadedConfig) -> None:
    """Run the app until a signal stops it."""
    loop = asyncio.get_running_loop()
    hangup = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, app)
    loop.add_signal_handler(signal.SIGHUP, hangup.set)

    def ready(socket: Path | None) -> None:
        triggers = len(loaded.settings.triggers)
        log.info(
            "notifyd started", version=__version__, triggers=triggers, socket=str(socket or "")
        )
        app.service_manager.notify("READY=1")

    async with asyncio.TaskGroup() as group:
        reloader = group.create_task(_reload_on(hangup, app))
        await app.run(ready)
        reloader.cancel()
    log.info("shutting down; undelivered notifications stay queued")
    _exit_within(_EXIT_TIMEOUT)


def _exit_within(seconds: float) -> None:
    """Exit even if threads are blocked on a huge or hung file system. Everything is on disk."""
    timer = threading.Timer(seconds, os._exit, [0])
    timer.daemon = True
    timer.start()


def _stop(app: App) -> None:
    app.service_manager.notify("STOPPING=1")
    app.stop()


async def _reload_on(hangup: asyncio.Event, app: App) -> None:
    while True:
        await hangup.wait()
        hangup.clear()
        monotonic = f"MONOTONIC_USEC={time.monotonic_ns() // 1000}"
        app.service_manager.notify("RELOADING=1", monotonic)
        try:
            await app.reload()
        except NotifydError as error:  # shutting down meanwhile
            log.warning("configuration not reloaded", reason=str(error))
        app.service_manager.notify("READY=1")
