"""How many connections may be open, and which one is closed when there are too many."""

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Protocol, Self

_IPV6_PREFIX = 64


class ConnectedClient(Protocol):
    """Who is at the other end of a connection."""

    @property
    def share_key(self) -> Hashable:
        """What connections are counted by: a user, a remote address."""
        ...

    @property
    def is_privileged(self) -> bool:
        """Whether places are reserved for this client."""
        ...


@dataclass(frozen=True, slots=True)
class RemoteClient:
    """A client on the network, known by its address alone."""

    address: str

    @classmethod
    def of(cls, transport: asyncio.BaseTransport) -> Self:
        name = transport.get_extra_info("peername")
        return cls(name[0] if name else "")

    @property
    def share_key(self) -> Hashable:
        """The IPv4 address or the IPv6 /64, since one machine may use all addresses of a /64."""
        try:
            address = ip_address(self.address)
        except ValueError:
            return self.address
        if not isinstance(address, IPv6Address):
            return address
        return address.ipv4_mapped or ip_network((int(address), _IPV6_PREFIX), strict=False)

    @property
    def is_privileged(self) -> bool:
        return False


class EvictableConnection(Protocol):
    @property
    def client(self) -> ConnectedClient: ...

    def evict(self) -> None:
        """Close this connection; it calls `OpenConnections.remove` later."""
        ...


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Time limits in seconds, and limits on numbers.

    head: from the connection, or the first byte of a later request, to the end of the headers.
    body: for the whole body. linger: for data that a client still sends after an error.
    write: until a client reads its response. idle: between requests.
    connections: in total; `reserved` more are for privileged clients. per_client: for one client.
    stalled: connections of one client whose responses it does not read.
    header_size: bytes of one header field. headers: number of header fields.
    """

    head: float = 10.0
    body: float = 10.0
    linger: float = 2.0
    write: float = 10.0
    idle: float = 30.0
    connections: int = 512
    reserved: int = 16
    per_client: int = 256
    stalled: int = 16
    header_size: int = 4096
    headers: int = 48


@dataclass(slots=True)
class _Share:
    """The connections of one client. waiting: longest waiting first."""

    open: int = 0
    stalled: int = 0
    waiting: dict[EvictableConnection, None] = field(default_factory=dict)
    busy: set[EvictableConnection] = field(default_factory=set)


class OpenConnections:
    """Counts connections by client and keeps track of those that wait for a complete request.

    At a limit, a waiting connection is closed in favour of a new one, so silent connections and
    half-sent requests never lock others out. Nor do requests at work: one client may have as many
    of them as there are places left, so some remain for others, however many clients do this.
    """

    def __init__(self, limits: ConnectionLimits) -> None:
        self._limits = limits
        self._shares: dict[Hashable, _Share] = {}
        self._count = 0
        self._busy_count = 0

    def make_room(self, client: ConnectedClient) -> bool:
        """Return whether one more may be opened, after evicting a waiting one if necessary.

        At its own limit a client loses its longest waiting connection; at the total limit the
        client with the most connections loses one.
        """
        share = self._shares.get(client.share_key)
        if share is not None and share.open >= self._limits.per_client:
            return self._evict_from(share)
        most = self._limits.connections
        if client.is_privileged:
            most += self._limits.reserved
        if self._count < most:
            return True
        waiting = [share for share in self._shares.values() if share.waiting]
        return bool(waiting) and self._evict_from(max(waiting, key=lambda share: share.open))

    def add(self, connection: EvictableConnection) -> None:
        """Count a new connection, which waits for its first request."""
        share = self._shares.setdefault(connection.client.share_key, _Share())
        share.open += 1
        share.waiting[connection] = None
        self._count += 1

    def remove(self, connection: EvictableConnection) -> None:
        key = connection.client.share_key
        share = self._shares[key]
        share.waiting.pop(connection, None)
        self._end_work(share, connection)
        share.open -= 1
        self._count -= 1
        if not share.open:
            del self._shares[key]

    def set_busy(self, connection: EvictableConnection) -> bool:
        """Return whether the complete request of a connection may be worked on.

        If so, the connection is not evicted until `set_waiting`.
        """
        client = connection.client
        share = self._shares[client.share_key]
        if connection in share.busy:
            return True
        left = self._limits.connections - self._busy_count
        if not client.is_privileged and len(share.busy) >= left:
            return False
        share.waiting.pop(connection, None)
        share.busy.add(connection)
        self._busy_count += 1
        return True

    def set_waiting(self, connection: EvictableConnection) -> None:
        share = self._shares[connection.client.share_key]
        self._end_work(share, connection)
        share.waiting.pop(connection, None)
        share.waiting[connection] = None

    def _end_work(self, share: _Share, connection: EvictableConnection) -> None:
        if connection in share.busy:
            share.busy.remove(connection)
            self._busy_count -= 1

    def add_stalled(self, client: ConnectedClient) -> bool:
        """Count an unread response; returns whether it is within the client's limit."""
        share = self._shares[client.share_key]
        share.stalled += 1
        return share.stalled <= self._limits.stalled

    def remove_stalled(self, client: ConnectedClient) -> None:
        self._shares[client.share_key].stalled -= 1

    def _evict_from(self, share: _Share) -> bool:
        if not share.waiting:
            return False
        connection = next(iter(share.waiting))
        del share.waiting[connection]
        connection.evict()
        return True
