"""Where the daemon keeps its state and its socket, when the config does not say."""

from collections.abc import Mapping
from pathlib import Path

from notifyd.config.folders import first_folder, user_state
from notifyd.config.settings import Settings

SOCKET_NAME = "notifyd.sock"


def state_dir(settings: Settings, environ: Mapping[str, str]) -> Path:
    """Give the folder of the database: [state] dir, systemd's, or the user's own."""
    if settings.state.dir:
        return settings.state.dir
    if given := first_folder(environ, "STATE_DIRECTORY"):
        return given
    return user_state(environ)


def socket_path(settings: Settings, environ: Mapping[str, str]) -> Path:
    """Give the socket's path: [socket] path, a runtime folder, or beside the state."""
    if settings.socket.path:
        return settings.socket.path
    for name in ("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"):
        if given := first_folder(environ, name):
            return given / SOCKET_NAME
    return state_dir(settings, environ) / SOCKET_NAME
