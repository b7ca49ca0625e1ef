"""The protocols between systemd and a service: notifications, the watchdog, variables."""

import os
import re
import socket
from collections.abc import Mapping, MutableMapping

_PROTOCOL_VARIABLE = re.compile(
    r"LISTEN_\w+|NOTIFY_SOCKET|WATCHDOG_(PID|USEC)|CREDENTIALS_DIRECTORY"
)
_SEND_TIMEOUT = 1.0
"""Seconds to wait for room in the queue of a receiver that is behind."""


class ServiceManager:
    """systemd, or whatever listens on $NOTIFY_SOCKET. Without that variable nothing is sent.

    environ: that of the process when it started.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_timeout = _watchdog_timeout(environ) if address else 0.0
        """Seconds within which systemd expects the next WATCHDOG=1; 0.0 if it expects none."""

    @property
    def is_present(self) -> bool:
        return bool(self._address)

    def notify(self, *lines: str) -> None:
        """Send lines such as "READY=1".

        Source: sd_notify(3). An address that begins with @ is in the abstract namespace.
        """
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(_SEND_TIMEOUT)
            try:
                sender.connect(self._address)
                sender.send("\n".join(lines).encode())
            except OSError:
                return  # nobody listens or reads; systemd notices that by itself


def _watchdog_timeout(environ: Mapping[str, str]) -> float:
    """Return $WATCHDOG_USEC in seconds if it is meant for this process: sd_watchdog_enabled(3)."""
    timeout, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    is_meant = not pid or pid == str(os.getpid())
    return int(timeout) / 1e6 if is_meant and timeout.isdecimal() else 0.0


def remove_protocol_variables(environ: MutableMapping[str, str]) -> None:
    """Remove what systemd says to this process alone, so that children do not act on it."""
    for name in [name for name in environ if _PROTOCOL_VARIABLE.fullmatch(name)]:
        del environ[name]
