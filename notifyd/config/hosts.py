"""What a host's name says without asking anybody."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Say whether it is surely this machine: localhost, 127.0.0.0/8 or ::1."""
    return host == "localhost" or (is_address(host) and ip_address(host).is_loopback)


def is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
