"""Connections to hosts that others name: to public addresses only."""

import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address

from aiohttp.abc import AbstractResolver, ResolveResult

from notifyd.http.resolver import addresses, resolve_results
from notifyd.http.tcp import is_address
from notifyd.model.errors import NotifydError

Address = IPv4Address | IPv6Address

AddressPolicy = Callable[[Address], bool]
"""Returns whether a connection to an address is allowed."""

_NAT64 = 0x0064FF9B << 96
_LOW_32_BITS = (1 << 32) - 1


class AddressRefusedError(NotifydError):
    """A host has an address that the policy does not allow."""


def is_public(address: Address) -> bool:
    """Return whether an address, and the IPv4 address inside it if there is one, is public."""
    if isinstance(address, IPv6Address) and (inner := _embedded(address)) is not None:
        return is_public(inner)
    return address.is_global and not address.is_multicast


def check_literal(host: str, policy: AddressPolicy) -> None:
    """Raise AddressRefusedError for a host that is an address and not allowed as such."""
    if is_address(host):
        _check(host, host, policy)


class PolicyResolver(AbstractResolver):
    """Resolves names; AddressRefusedError if any of the addresses is not allowed.

    aiohttp asks no resolver for a host that is an address: see `check_literal`.
    """

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = resolve_results(host, await addresses(host, port, family))
        for result in found:
            _check(host, result["host"], self._policy)
        return found

    async def close(self) -> None:
        pass


def _check(host: str, address: str, policy: AddressPolicy) -> None:
    if not policy(ip_address(address.partition("%")[0])):
        raise AddressRefusedError(f"{host} is not a public address")


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that packets to this one reach in the end."""
    if int(address) >> 32 == _NAT64 >> 32:
        return IPv4Address(int(address) & _LOW_32_BITS)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
