"""Who is at the other end of a connection, by the kernel's account, and what they may do."""

import asyncio
import grp
import os
import socket
import struct
from collections.abc import Hashable
from dataclasses import dataclass
from http import HTTPStatus

from notifyd.http.errors import HttpError
from notifyd.model.errors import ConfigError
from notifyd.model.notifications import TCP_PEER, Peer

_UCRED = struct.Struct("=iII")
_SO_PEERGROUPS = 59  # Linux 4.13; the socket module does not name it
_LONGEST_OPTION = 1024  # the most that getsockopt takes in Python: 256 groups
_GID = struct.Struct("=I")
_UNKNOWN = Peer(uid=-1, gid=-1, pid=-1)


@dataclass(frozen=True, slots=True)
class ApiCaller:
    """A connected client. admin: may see, cancel and reload what belongs to all."""

    peer: Peer
    admin: bool

    @property
    def share_key(self) -> Hashable:
        """The uid, or "tcp" for the one client that all of the TCP listener are."""
        return "tcp" if self.is_tcp else self.peer.uid

    @property
    def is_tcp(self) -> bool:
        return self.peer == TCP_PEER

    @property
    def is_privileged(self) -> bool:
        return self.admin

    @property
    def visible_uid(self) -> int | None:
        """Whose notifications the caller may see; None for everyone's."""
        return None if self.admin else self.peer.uid

    def require_admin(self, action: str) -> None:
        """Raise an HttpError of 403 unless the caller may do this; `action` is a verb."""
        if not self.admin:
            who = "root, the daemon's own user and members of [socket] admin_group"
            raise HttpError(HTTPStatus.FORBIDDEN, "forbidden", f"only {who} may {action}")


class Authorizer:
    """Admins are root, the daemon's own user, and the members of `[socket] admin_group`."""

    def __init__(self, group: str | None) -> None:
        self._admin_uids = frozenset({0, os.geteuid()})
        self._admin_gid = None if group is None else group_id(group, "admin_group")

    def caller(self, transport: asyncio.BaseTransport) -> ApiCaller:
        sock: socket.socket = transport.get_extra_info("socket")
        peer = peer_of(sock)
        return ApiCaller(peer, peer.uid in self._admin_uids or self._is_admin_member(peer, sock))

    def _is_admin_member(self, peer: Peer, sock: socket.socket) -> bool:
        # The groups are the kernel's, from the moment of connecting, as for the socket's mode:
        # no name service is asked, so none can stall the event loop.
        gid = self._admin_gid
        return gid is not None and (peer.gid == gid or gid in groups_of(sock))


def peer_of(sock: socket.socket) -> Peer:
    """Read SO_PEERCRED: the client's on an accepted socket, the listener's on a connected one."""
    if sock.family != socket.AF_UNIX:
        return _UNKNOWN
    pid, uid, gid = _UCRED.unpack(
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    )
    return Peer(uid=uid, gid=gid, pid=pid)


def groups_of(sock: socket.socket) -> frozenset[int]:
    """Read the supplementary groups that the client had when it connected."""
    try:
        raw = sock.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _LONGEST_OPTION)
    except OSError:
        return frozenset()
    return frozenset(gid for (gid,) in _GID.iter_unpack(raw))


def group_id(name: str, key: str) -> int:
    """Look a group up by name; `key` is the setting that a ConfigError names."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        fix = f"create it with `groupadd {name}` or name another"
        raise ConfigError(
            [f"socket.{key}: no such group on this machine; {fix} (got {name!r})"]
        ) from None
