"""Who is at the other end of a connection, as the kernel tells it, and what they may do."""

import grp
import os
import socket
import struct
from dataclasses import dataclass

from notifyd.model.errors import ConfigError
from notifyd.model.notifications import Peer

_UCRED = struct.Struct("=iII")
_SO_PEERGROUPS = 59  # Linux 4.13; the socket module does not name it
_LONGEST_OPTION = 1024  # what getsockopt takes in Python: 256 groups
_GID = struct.Struct("=I")
_NOBODY = Peer(uid=-1, gid=-1, pid=-1)


@dataclass(frozen=True, slots=True)
class Caller:
    """A connected client. admin: may see, cancel and reload what is everyone's."""

    peer: Peer
    admin: bool


def peer_of(sock: socket.socket) -> Peer:
    """Read SO_PEERCRED: the client's on an accepted socket, the listener's on a connected one."""
    if sock.family != socket.AF_UNIX:
        return _NOBODY
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


class Authorizer:
    """Root, the daemon's own user, and the members of `[socket] admin_group`."""

    def __init__(self, group: str | None) -> None:
        self._uids = frozenset({0, os.geteuid()})
        self._gid = None if group is None else group_id(group, "admin_group")

    def caller(self, sock: socket.socket) -> Caller:
        peer = peer_of(sock)
        return Caller(peer, peer.uid in self._uids or self._member(peer, sock))

    def _member(self, peer: Peer, sock: socket.socket) -> bool:
        # The kernel's word from the moment of connecting, as for the socket's own mode: no name
        # service is asked, so none can stall the loop.
        return self._gid is not None and (peer.gid == self._gid or self._gid in groups_of(sock))


def group_id(name: str, key: str) -> int:
    """Look a group up by name; `key` is the setting that a ConfigError names."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        mend = f"create it with `groupadd {name}` or name another"
        raise ConfigError(
            [f"socket.{key}: there is no such group on this machine: {mend} (got {name!r})"]
        ) from None
