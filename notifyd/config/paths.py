"""Default paths of state and socket, and the properties of host names.

Imports only the standard library, because the command line uses it without the configuration.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from notifyd.model.errors import ConfigError

SOCKET_NAME = "notifyd.sock"


class ListenAddress(NamedTuple):
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse HOST:PORT; an IPv6 address is in square brackets. ValueError for anything else."""
        try:
            parts = urlsplit(f"//{text}")
            if parts.netloc == text and parts.hostname and parts.port is not None:
                return cls(parts.hostname, parts.port)
        except ValueError:
            pass
        raise ValueError(text)


def state_dir(configured: Path | None, environ: Mapping[str, str]) -> Path:
    """Return the directory of the database. configured: `[state] dir`.

    Without it: $STATE_DIRECTORY, then the user's own state directory.
    """
    return configured or env_dir(environ, "STATE_DIRECTORY") or user_state_dir(environ)


def socket_path(configured: Path | None, state: Path, environ: Mapping[str, str]) -> Path:
    """Return the path of the socket. configured: `[socket] path`; state: the state directory.

    Without `configured`: in $RUNTIME_DIRECTORY, then $XDG_RUNTIME_DIR, then the state directory.
    """
    if configured:
        return configured
    runtime = env_dir(environ, "RUNTIME_DIRECTORY") or env_dir(environ, "XDG_RUNTIME_DIR")
    return (runtime or state) / SOCKET_NAME


def user_state_dir(environ: Mapping[str, str]) -> Path:
    """Return $XDG_STATE_HOME/notifyd, or its default in the home directory."""
    if state_home := env_dir(environ, "XDG_STATE_HOME"):
        return state_home / "notifyd"
    return _home(environ) / ".local/state/notifyd"


def _home(environ: Mapping[str, str]) -> Path:
    """Return the home directory. Raise ConfigError if it is unknown."""
    try:
        return env_dir(environ, "HOME") or Path.home()
    except RuntimeError:
        raise ConfigError(
            ["no home directory is known for this user: set HOME, or `dir` in [state]"]
        ) from None


def env_dir(environ: Mapping[str, str], name: str) -> Path | None:
    """Return the directory in a variable, the first one if it lists several.

    None if the variable is not set or its path is relative, as the XDG specification says.
    """
    directory = environ.get(name, "").partition(":")[0]
    return Path(directory) if directory.startswith("/") else None


def is_loopback(host: str) -> bool:
    """Return whether a host is certainly this machine: localhost, 127.0.0.0/8 or ::1."""
    return host == "localhost" or (is_ip_address(host) and ip_address(host).is_loopback)


def is_ip_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
