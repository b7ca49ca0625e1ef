"""What `notifyd run` opens at its start, looked at without creating or changing anything."""

import os
from collections.abc import Mapping
from pathlib import Path

from notifyd.api.unix import check_socket
from notifyd.client.http import send_request
from notifyd.config.paths import socket_path, state_dir
from notifyd.config.settings import Settings
from notifyd.http.tcp import listen_tcp
from notifyd.model.errors import (
    ConfigError,
    DaemonAnswerError,
    DaemonUnreachableError,
    InUseError,
)
from notifyd.model.user import effective_user
from notifyd.outbox.database import check_database
from notifyd.outbox.location import check_directory, find_lock_holder

_ANSWER_TIMEOUT = 2.0
_APPLY = "`notifyd reload` applies changes"


def check_start(
    settings: Settings, environ: Mapping[str, str], config: Path | None, *, has_defaults: bool
) -> str:
    """Raise what a start would raise for directories, database, socket and TCP address.

    config: the main configuration file. has_defaults: whether paths that are not configured are
    those that the daemon will use, too. Return a note if a daemon runs: it is meant to be reloaded,
    or replaced by one with this configuration, so what it holds is no mistake.
    """
    folder = state_dir(settings.state.dir, environ) if has_defaults else settings.state.dir
    path = settings.socket.path
    if has_defaults and folder is not None:
        path = socket_path(path, folder, environ)
    _check_directory(folder, "state.dir")
    if folder is not None:
        check_directory(folder)
    _check_directory(path and path.parent, "socket.path")
    holder = find_lock_holder(folder) if folder is not None else ""
    if holder:
        running = _running_config(path)
        if running is None or running == _resolve(config):
            return f"process {holder} runs with this configuration; {_APPLY}"
        return (
            f"process {holder} runs with another configuration, {running or 'without a file'}, and "
            f"holds the state directory {folder}; stop it before you start this one"
        )
    if folder is not None:
        check_database(folder)
    try:
        if path is not None:
            check_socket(path, settings.socket)
        if settings.listen.tcp is not None:
            listen_tcp(*settings.listen.tcp, "[listen] tcp").close()
    except InUseError as error:
        # A service has a state directory of its own, which this shell does not know.
        daemons = {_running_config(path), _running_config(None)} - {None}
        if not daemons or (path is not None and path.exists() and not path.is_socket()):
            raise
        if config is not None and _resolve(config) in daemons:
            return f"a daemon runs with this configuration; {_APPLY}"
        return f"a daemon with another configuration runs: {error}"
    return ""


def _check_directory(directory: Path | None, key: str) -> None:
    """Raise ConfigError if the daemon cannot create or use a directory."""
    if directory is None:
        return
    existing = directory
    while not os.path.lexists(existing) and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        raise ConfigError([f"{key}: {existing} is not a directory; set another path"])
    if not os.access(existing, os.W_OK | os.X_OK):
        problem = f"user {effective_user()} cannot write to {existing}"
        raise ConfigError([f"{key}: {problem}; grant access or set another path"])


def _running_config(path: Path | None) -> str | None:
    """Return the configuration file of the daemon on a socket; None if it does not say.

    path: None for the usual sockets.
    """
    socket = None if path is None else str(path)
    try:
        _, status = send_request("GET", "/v1/status", socket_path=socket, within=_ANSWER_TIMEOUT)
    except (DaemonUnreachableError, DaemonAnswerError):
        return None
    running = status.get("config")
    return _resolve(Path(running)) if isinstance(running, str) and running else None


def _resolve(path: Path | None) -> str:
    return os.path.realpath(path) if path else ""
