"""Ports for programs that do not choose one themselves."""

import random
import socket
from pathlib import Path

_LOWEST = 10_000


def free_port() -> int:
    """Return a free port, below those that the kernel gives to who asks for any if it can be."""
    ends_below, _ = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    while True:
        port = random.SystemRandom().randrange(_LOWEST, max(int(ends_below), 2 * _LOWEST))
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)):
                return port
