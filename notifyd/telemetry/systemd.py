"""The notification protocol of systemd: sd_notify(3) is one datagram."""

import os
import socket
from collections.abc import Mapping


def sd_notify(*lines: str, environ: Mapping[str, str] = os.environ) -> None:
    """Send lines such as "READY=1" to systemd; do nothing without $NOTIFY_SOCKET.

    Source: sd_notify(3). An address that begins with @ is in the abstract namespace.
    """
    address = environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            sender.connect(address)
            sender.send("\n".join(lines).encode())
        except OSError:
            return  # systemd does not listen; it notices that by itself
