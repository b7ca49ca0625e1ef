"""Requests to the daemon, over its Unix socket.

Every command waits for these imports, so there are few.
"""

import json
import os
import socket
from contextlib import suppress
from time import monotonic

from notifyd.model.errors import DaemonAnswerError, DaemonUnreachableError

LONGEST_BODY = 8_000
"""Characters of a notification's body that clients send: the daemon keeps far fewer, and its
`max_body` is not reached."""
_FIRST_ERROR_STATUS = 400
_CHUNK = 1 << 16
_LARGEST_RESPONSE = 64 << 20
_START = "start it with `notifyd run` or `systemctl start notifyd`, or name its --socket"


def socket_paths(explicit: str | None = None) -> list[str]:
    """Return where the daemon's socket may be: the path that was named, else the usual ones."""
    if named := explicit or os.environ.get("NOTIFYD_SOCK"):
        return [named]
    home = os.path.expanduser("~")  # noqa: PTH111 - pathlib costs as much as the rest
    state = os.environ.get("XDG_STATE_HOME") or f"{home}/.local/state"
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    paths = [f"{runtime}/notifyd.sock"] if runtime else []
    return [*paths, f"{state}/notifyd/notifyd.sock", "/run/notifyd/notifyd.sock"]


def send_request(
    method: str,
    target: str,
    *,
    body: object = None,
    socket_path: str | None = None,
    within: float = 10.0,
) -> tuple[int, dict[str, object]]:
    """Send one request and return the HTTP status and the JSON object of the response.

    body: bytes are sent as they are, anything else as JSON. within: seconds.
    DaemonUnreachableError: no daemon answers in time. DaemonAnswerError: the response is an error.
    """
    payload, content_type = _encode(body)
    head = (
        f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Length: {len(payload)}\r\n"
    )
    if content_type:
        head += f"Content-Type: {content_type}\r\n"
    deadline = monotonic() + within
    with connect(socket_paths(socket_path), deadline) as sock:
        raw = _exchange(sock, head.encode() + b"\r\n" + payload, deadline)
    status, response = _parse_response(raw)
    if status >= _FIRST_ERROR_STATUS or response.get("success") is not True:
        raise DaemonAnswerError(status, response)
    return status, response


def _encode(body: object) -> tuple[bytes, str]:
    """Return a body and its content type, which is empty without a body."""
    if body is None:
        return b"", ""
    if isinstance(body, bytes):
        return body, "text/plain; charset=utf-8"
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"), "application/json"


def connect(paths: list[str], deadline: float) -> socket.socket:
    """Connect to the first path that answers; DaemonUnreachableError if none does.

    deadline: by `time.monotonic`.
    """
    forbidden = ""
    for path in paths:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(max(deadline - monotonic(), 0.01))
            sock.connect(path)
        except PermissionError:
            forbidden = forbidden or path
        except OSError:
            pass
        else:
            return sock
        sock.close()
    if forbidden:
        raise DaemonUnreachableError(_explain_permission(forbidden))
    raise DaemonUnreachableError(f"no notifyd answers on {' or '.join(paths)}; {_START}")


def _explain_permission(path: str) -> str:
    """Say who may connect, where that can be read."""
    try:
        found = os.stat(path)  # noqa: PTH116 - as above
    except OSError:
        return f"permission denied for the directory of {path}; run this as its owner"
    from notifyd.model.user import joinable_group, user_name  # noqa: PLC0415 - only on this path

    group = joinable_group(found)
    if group is None:
        owner = user_name(found.st_uid)
        return (
            f"permission denied for {path}: it is for the user {owner}; run this as {owner}, "
            "or let `group` in [socket] of its daemon name a group that you are in"
        )
    return (
        f"permission denied for {path}: it is for the group {group}; "
        f"join it with `usermod -aG {group} $USER` and log in again, or run this as root"
    )


def _exchange(sock: socket.socket, request: bytes, deadline: float) -> bytes:
    response = bytearray()
    try:
        # The daemon may answer before it has read everything.
        with suppress(BrokenPipeError, ConnectionResetError):
            sock.sendall(request)
        while True:
            sock.settimeout(max(deadline - monotonic(), 0.01))
            if not (chunk := sock.recv(_CHUNK)):
                break
            response += chunk
            if len(response) > _LARGEST_RESPONSE:
                break
    except TimeoutError:
        raise DaemonUnreachableError(
            "the daemon did not answer in time; see `notifyd status` and its log"
        ) from None
    except OSError as error:
        if not response:
            raise DaemonUnreachableError(
                f"the daemon closed the connection: {error.strerror}"
            ) from None
    return bytes(response)


def _parse_response(raw: bytes) -> tuple[int, dict[str, object]]:
    """Split a response; with `Connection: close` it ends where the stream ends."""
    head, found, body = raw.partition(b"\r\n\r\n")
    while found and head.startswith(b"HTTP/1.1 100"):
        head, found, body = body.partition(b"\r\n\r\n")
    try:
        status = int(head.split(b" ", 2)[1])
        if b"\r\ntransfer-encoding: chunked" in head.lower():
            body = _join_chunks(body)
        response = json.loads(body)
    except (ValueError, IndexError):
        raise DaemonUnreachableError(
            "the socket's response is not notifyd's, or it is incomplete; "
            "see the daemon's log and try again"
        ) from None
    return status, response if isinstance(response, dict) else {}


def _join_chunks(body: bytes) -> bytes:
    """Join a chunked body; ValueError when it is incomplete."""
    parts: list[bytes] = []
    while True:
        line, found, body = body.partition(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        if not size:
            return b"".join(parts)
        if not found or len(body) < size:
            raise ValueError("incomplete")
        parts.append(body[:size])
        body = body[size + 2 :]
