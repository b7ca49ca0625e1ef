"""The listening Unix socket.

Its file has the right mode from the start, never replaces a socket that somebody listens on, and is
removed only while it is this daemon's own.
"""

import errno
import fcntl
import json
import os
import socket
import stat
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from notifyd.api.auth import group_id, peer_of
from notifyd.config.sections import SocketConfig
from notifyd.model.errors import ConfigError, InUseError
from notifyd.model.user import effective_user

BACKLOG = 1024
_LONGEST_PATH = 107  # sockaddr_un has 108 bytes, with a NUL at the end
_REFUSAL_TIMEOUT = 0.2
"""Seconds for a client that is refused."""
_REFUSING = 5.0
"""Seconds for all of them: the daemon has to exit although they do not read."""
_REFUSED_REQUEST = 1 << 16
_FIRST_INHERITED = 3  # SD_LISTEN_FDS_START


class UnixListener:
    """A listening socket and the lock on its path.

    `path` is None if the socket has none in the file system. lock: -1 for a socket that is
    inherited: its file is not this daemon's to remove.
    """

    def __init__(self, sock: socket.socket, path: Path | None, lock: int = -1) -> None:
        self.socket = sock
        self.path = path
        self._lock = lock
        self._identity = None if path is None else _identity(path)

    @property
    def is_inherited(self) -> bool:
        return self._lock == -1

    @classmethod
    def open(cls, path: Path, settings: SocketConfig, environ: Mapping[str, str]) -> Self:
        """Take the socket that systemd passed, or create one.

        InUseError: another process listens there. ConfigError: the path, the group or the passed
        socket cannot be used. Changes the umask for a moment: call it before other threads create
        files.
        """
        if (inherited := _inherited_socket(environ)) is not None:
            return cls(inherited, _path_of(inherited))
        _check_length(path)
        group = -1 if settings.group is None else group_id(settings.group, "group")
        _create_directory(path, settings.mode)
        lock = _acquire_lock(path)
        try:
            if _is_stale(path):
                path.unlink(missing_ok=True)
            return cls(_bind(path, settings.mode, group), path, lock)
        except BaseException:
            os.close(lock)
            raise

    def close(self) -> None:
        """Stop listening, and remove the path if this daemon created it and it is still there."""
        self.socket.close()
        if self.path is None or self.is_inherited:
            return
        if self._identity is not None and _identity(self.path) == self._identity:
            self.path.unlink(missing_ok=True)
        # The lock file stays: a daemon that is just starting may hold it already.
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def check_socket(path: Path, settings: SocketConfig) -> None:
    """Raise what `UnixListener.open` would raise for a path in an existing directory.

    Changes nothing.
    """
    _check_length(path)
    if settings.group is not None:
        group_id(settings.group, "group")
    _is_stale(path)


def _check_length(path: Path) -> None:
    if len(os.fsencode(path)) > _LONGEST_PATH:
        limit = f"the path of a socket has at most {_LONGEST_PATH} bytes; use a shorter one"
        raise ConfigError([f"socket.path: {limit} (got {str(path)!r})"])


def refuse_waiting(environ: Mapping[str, str], reason: str) -> None:
    """Answer 503 to every client that waits at an inherited socket; call it if the start failed.

    systemd would start the daemon again at once for a client that still waits.
    """
    try:
        inherited = _inherited_socket(environ)
    except ConfigError:
        return
    if inherited is None:
        return
    body = json.dumps({"success": False, "error": reason, "code": "not_started"}).encode()
    head = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close"
    response = f"HTTP/1.1 503 Service Unavailable\r\n{head}\r\n\r\n".encode() + body
    with inherited, suppress(OSError):  # nobody waits any more
        deadline = time.monotonic() + _REFUSING
        while time.monotonic() < deadline:
            client, _ = inherited.accept()
            with client, suppress(OSError):
                client.settimeout(_REFUSAL_TIMEOUT)
                client.sendall(response)
                client.shutdown(socket.SHUT_WR)
                client.recv(_REFUSED_REQUEST)


def _inherited_socket(environ: Mapping[str, str]) -> socket.socket | None:
    """Return the listening Unix socket that systemd passed (LISTEN_FDS), if any."""
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    count = environ.get("LISTEN_FDS", "")
    number = int(count) if count.isdecimal() else 0
    for descriptor in range(_FIRST_INHERITED, _FIRST_INHERITED + number):
        if not _is_socket(descriptor):
            continue
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - takes no keyword
        sock = socket.socket(fileno=os.dup(descriptor))  # it stays open for `refuse_waiting`
        if (
            sock.family == socket.AF_UNIX
            and sock.type == socket.SOCK_STREAM
            and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        ):
            sock.settimeout(0)
            return sock
        sock.close()
    reason = f"none of the {number} inherited descriptors is a listening Unix stream socket"
    fix = "use ListenStream= with a path and Accept=no in the socket unit"
    raise ConfigError([f"LISTEN_FDS: {reason}; {fix}"])


def _is_socket(descriptor: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError:  # fewer were passed than announced
        return False


def _path_of(sock: socket.socket) -> Path | None:
    """Return the path that a Unix socket is bound to; None for an abstract or no address."""
    address = os.fsdecode(sock.getsockname())
    return None if not address or address.startswith("\0") else Path(address)


def _create_directory(path: Path, mode: int) -> None:
    others_may_connect = bool(mode & 0o077)
    try:
        path.parent.mkdir(mode=0o755 if others_may_connect else 0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(path, error, f"cannot create the directory {path.parent}") from None


def _acquire_lock(path: Path) -> int:
    """Lock the path for the life of the daemon, so that two never replace one stale socket."""
    name = path.with_name(path.name + ".lock")
    try:
        lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise _unusable(path, error, f"cannot create a file in {path.parent}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
        os.close(lock)
        raise _in_use(path, int(holder) if holder.isdigit() else 0) from None
    with suppress(OSError):  # on a full disk only the pid is missing; the store reports the rest
        os.truncate(lock, 0)
        os.pwrite(lock, b"%d\n" % os.getpid(), 0)
    return lock


def _is_stale(path: Path) -> bool:
    """Return whether a socket exists on which nobody listens; InUseError for anything else."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unusable(path, error) from None
    if not stat.S_ISSOCK(found.st_mode):
        raise InUseError(
            f"{path} exists and is not a socket; move it away or set another [socket] path"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0)
        try:
            probe.connect(bytes(path))
        except ConnectionRefusedError:
            return True
        except FileNotFoundError:
            return False
        except BlockingIOError:
            raise _in_use(path, 0) from None
        except OSError as error:
            if error.errno == errno.EPROTOTYPE:
                raise _in_use(path, 0) from None
            raise _unusable(path, error) from None
        else:
            raise _in_use(path, peer_of(probe).pid)


def _bind(path: Path, mode: int, group: int) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # bind creates the file; until a later chmod it would have another mode.
        before = os.umask(0o777 & ~mode)
        try:
            sock.bind(bytes(path))
        finally:
            os.umask(before)
        if group != -1:
            os.chown(path, -1, group, follow_symlinks=False)
        sock.settimeout(0)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise _unusable(path, error) from None
    return sock


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _in_use(path: Path, pid: int) -> InUseError:
    who = f"process {pid}" if pid > 0 else "another process"
    return InUseError(
        f"{who} already listens on {path}; stop it, or give this daemon its own [socket] path "
        "and [state] dir"
    )


def _unusable(path: Path, error: OSError, what: str = "cannot be used") -> ConfigError:
    reason = error.strerror or str(error)
    fix = "set another path"
    if isinstance(error, PermissionError):
        fix = f"let the user {effective_user()} write there, or {fix}"
    elif error.errno == errno.ENOSPC:
        fix = f"free some space, or {fix}"
    return ConfigError([f"socket.path: {what}: {reason}; {fix} (got {str(path)!r})"])
