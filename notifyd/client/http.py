"""The command line's way to the daemon: one HTTP request over the Unix socket.

Every command waits for these imports, so they are few.
"""

import json
import os
import socket
from contextlib import suppress
from time import monotonic

from notifyd.model.errors import AnswerError, UnreachableError

HTTP_ERRORS = 400
_CHUNK = 1 << 16
_LARGEST_ANSWER = 64 << 20
_RESTART = "start it with `notifyd run` or `systemctl start notifyd`, or name its --socket"


def places(explicit: str | None = None) -> list[str]:
    """List where the daemon's socket may be: what was named alone, else the usual paths."""
    if named := explicit or os.environ.get("NOTIFYD_SOCK"):
        return [named]
    home = os.path.expanduser("~")  # noqa: PTH111 - pathlib costs as much as the rest
    state = os.environ.get("XDG_STATE_HOME") or f"{home}/.local/state"
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    usual = [f"{runtime}/notifyd.sock"] if runtime else []
    usual += [f"{state}/notifyd/notifyd.sock", "/run/notifyd/notifyd.sock"]
    return usual


def send_request(
    method: str,
    target: str,
    *,
    body: object = None,
    socket_path: str | None = None,
    within: float = 10.0,
) -> tuple[int, dict[str, object]]:
    """Make one request and read its JSON answer; returns the HTTP status and the object.

    UnreachableError: nobody answers, in `within` seconds. AnswerError: the daemon says no.
    """
    payload = (
        b"" if body is None else json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    )
    head = (
        f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Length: {len(payload)}\r\n"
    )
    if body is not None:
        head += "Content-Type: application/json\r\n"
    deadline = monotonic() + within
    with _connected(places(socket_path), deadline) as sock:
        status, answer = _answer(_exchanged(sock, head.encode() + b"\r\n" + payload, deadline))
    if status >= HTTP_ERRORS or answer.get("success") is not True:
        raise AnswerError(status, answer)
    return status, answer


def _connected(paths: list[str], deadline: float) -> socket.socket:
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
        raise UnreachableError(_no_right(forbidden))
    raise UnreachableError(f"no notifyd answers on {' or '.join(paths)}: {_RESTART}.")


def _no_right(path: str) -> str:
    """Say who may connect, where that can be seen."""
    try:
        gid = os.stat(path).st_gid  # noqa: PTH116 - as above
    except OSError:
        return f"you may not reach {path}: its folder is closed to you; run this as its owner."
    import grp  # noqa: PLC0415 - only on this path

    try:
        group = grp.getgrgid(gid).gr_name
    except KeyError:
        group = str(gid)
    return (
        f"you may not connect to {path}: it is for the group {group}; "
        f"join it with `usermod -aG {group} $USER` and log in again, or run this as root."
    )


def _exchanged(sock: socket.socket, request: bytes, deadline: float) -> bytes:
    answer = bytearray()
    try:
        # The daemon may have answered before it had read everything.
        with suppress(BrokenPipeError, ConnectionResetError):
            sock.sendall(request)
        while True:
            sock.settimeout(max(deadline - monotonic(), 0.01))
            if not (chunk := sock.recv(_CHUNK)):
                break
            answer += chunk
            if len(answer) > _LARGEST_ANSWER:
                break
    except TimeoutError:
        raise UnreachableError(
            "the daemon did not answer in time: look at `notifyd status` and its log."
        ) from None
    except OSError as error:
        if not answer:
            raise UnreachableError(f"the daemon closed the connection: {error.strerror}.") from None
    return bytes(answer)


def _answer(raw: bytes) -> tuple[int, dict[str, object]]:
    """Take an answer apart; `Connection: close` makes it end where the stream ends."""
    head, found, body = raw.partition(b"\r\n\r\n")
    while found and head.startswith(b"HTTP/1.1 100"):
        head, found, body = body.partition(b"\r\n\r\n")
    try:
        status = int(head.split(b" ", 2)[1])
        if b"\r\ntransfer-encoding: chunked" in head.lower():
            body = _joined(body)
        answer = json.loads(body)
    except (ValueError, IndexError):
        raise UnreachableError(
            "what answers on the socket is no notifyd, or it stopped in mid-answer: "
            "look at its log and try again."
        ) from None
    return status, answer if isinstance(answer, dict) else {}


def _joined(body: bytes) -> bytes:
    """Put a chunked body together; ValueError when it is cut short."""
    parts: list[bytes] = []
    while True:
        line, found, body = body.partition(b"\r\n")
        size = int(line.partition(b";")[0], 16)
        if not size:
            return b"".join(parts)
        if not found or len(body) < size:
            raise ValueError("cut short")
        parts.append(body[:size])
        body = body[size + 2 :]
