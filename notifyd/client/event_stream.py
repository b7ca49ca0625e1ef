"""The events of the daemon, over its Unix socket."""

import http.client
import json
from collections.abc import Iterator
from time import monotonic
from typing import NamedTuple

from notifyd.client.http import connect, socket_paths
from notifyd.model.errors import DaemonAnswerError, DaemonUnreachableError

_CONNECTING = 10.0
_SILENCE = 45.0
"""Seconds after which a silent daemon is taken to be gone: it sends a comment every 15 s."""


class ReceivedEvent(NamedTuple):
    """id: what to send as `last_id` to go on after it."""

    kind: str
    id: str
    data: dict[str, object]


def follow_events(
    target: str, *, socket_path: str | None = None, last_id: str = ""
) -> Iterator[ReceivedEvent]:
    """Yield events until the daemon ends the stream or is gone.

    last_id: of the last event that was received; empty to begin now. DaemonUnreachableError: no
    daemon answers. DaemonAnswerError: it refuses.
    """
    connection = http.client.HTTPConnection("localhost")
    connection.sock = connect(socket_paths(socket_path), monotonic() + _CONNECTING)
    try:
        connection.request("GET", target, headers={"Last-Event-ID": last_id} if last_id else {})
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise DaemonAnswerError(response.status, _json_object(response.read()))
        connection.sock.settimeout(_SILENCE)
        yield from _parse(response)
    except (OSError, http.client.HTTPException):
        raise DaemonUnreachableError("the daemon closed the connection") from None
    finally:
        connection.close()


def _parse(lines: Iterator[bytes]) -> Iterator[ReceivedEvent]:
    """Parse a stream whose events have one line of data each, as the daemon writes them."""
    fields: dict[str, str] = {}
    for raw in lines:
        name, _, value = raw.decode("utf-8", "replace").rstrip("\n").partition(": ")
        if name:
            fields[name] = value
            continue
        if "event" in fields:
            data = _json_object(fields.get("data", "").encode())
            yield ReceivedEvent(fields["event"], fields.get("id", ""), data)
        fields = {}


def _json_object(raw: bytes) -> dict[str, object]:
    try:
        value = json.loads(raw)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
