"""Listening on a TCP address."""

import errno
import os
import socket
from ipaddress import ip_address

from notifyd.model.errors import InUseError, NotifydError

_BACKLOG = 128


def listen_tcp(host: str, port: int, setting: str) -> socket.socket:
    """Bind and listen; port 0 takes a free one. An error names the address and `setting`."""
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        # "localhost" may have both kinds of address; every client tries IPv4.
        family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
        dual = is_wildcard(str(address[0])) and socket.has_dualstack_ipv6()
        return socket.create_server(
            address,
            family=family,
            backlog=_BACKLOG,
            dualstack_ipv6=dual and family == socket.AF_INET6,
        )
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InUseError(
                f"{shown} is in use; stop the program that listens there,"
                f" or choose another port with {setting}"
            ) from None
        # The numbers of getaddrinfo's errors are negative and unknown to os.strerror.
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else error.strerror
        raise NotifydError(
            f"cannot listen on {shown}: {reason}; choose another with {setting}"
        ) from None


def base_url(listening: socket.socket, *, is_https: bool = False) -> str:
    """Return a URL that reaches a listening socket from this machine."""
    host, port = listening.getsockname()[:2]
    if is_wildcard(host):
        host = "::1" if ":" in host else "127.0.0.1"
    scheme = "https" if is_https else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def outward_address() -> str | None:
    """Return this machine's address in its network; None without a network. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # of a block for documentation: only routed
        except OSError:
            return None
        address: str = probe.getsockname()[0]
        return address


def is_wildcard(host: str) -> bool:
    """Return whether the host means all addresses of this machine: 0.0.0.0 or ::."""
    return is_address(host) and ip_address(host).is_unspecified


def is_address(host: str) -> bool:
    """Return whether the host is an IP address and not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
