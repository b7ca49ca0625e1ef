"""Sending from Python: `from notifyd import send, asend`. Standard library only."""

import json
import os
from collections.abc import Mapping

from notifyd.client.http import LONGEST_BODY, send_request
from notifyd.model.errors import DaemonAnswerError, DaemonUnreachableError

_LONGEST_WAIT = 60.0
"""Seconds that the daemon waits for a delivery, at most."""


class SentNotification:
    """A notification that is on disk.

    id: as in `notifyd history`. status: `queued`, `held`, `spooled`, or with `wait` what became of
    it, such as `delivered` or `no_device`. answer: all that the daemon said.
    """

    __slots__ = ("answer", "id", "status")

    def __init__(self, answer: dict[str, object]) -> None:
        self.id = str(answer.get("id", ""))
        self.status = str(answer.get("status", "delivered"))
        self.answer = answer

    def __repr__(self) -> str:
        return f"SentNotification(id={self.id!r}, status={self.status!r})"


def send(
    body: str = "",
    *,
    title: str = "",
    priority: str = "default",
    data: Mapping[str, object] | None = None,
    url: str = "",
    key: str = "",
    delay: str | float = 0,
    wait: str | float = 0,
    spool: bool = True,
    socket: str | os.PathLike[str] | None = None,
    timeout: float = 10.0,
) -> SentNotification:
    """Send a notification through the daemon, and return once it is on disk.

    priority: min, low, default, high or urgent. data: entries for the app; numbers of other
    libraries become Python's, NaN becomes text. url: the link to open. key: replaces a notification
    with the same key that was not sent yet. delay: hold it for so long; wait: wait for the delivery
    so long, at most 60 s; seconds, or text such as "1m". spool: where no daemon answers, keep it in
    a file that the daemon imports when it runs, within a day. socket: path, else the usual ones.
    timeout: seconds for the daemon's answer.

    DaemonAnswerError: the daemon refuses it and says why. DaemonUnreachableError: no daemon takes
    it, and it cannot be spooled. Both are NotifydErrors.
    """
    entries = _plain(data or {}) | ({"url": url} if url else {})
    values = {
        "title": title[:LONGEST_BODY],
        "body": body[:LONGEST_BODY],
        "priority": priority,
        "key": key,
        "delay": _duration(delay),
        "data": entries,
    }
    message: dict[str, object] = {name: value for name, value in values.items() if value}
    path = None if socket is None else os.fspath(socket)
    target = "/notifications/send" + (f"?wait={_duration(wait)}" if wait else "")
    within = timeout + (_LONGEST_WAIT if wait else 0.0)
    try:
        _, answer = send_request("POST", target, body=message, socket_path=path, within=within)
    except (DaemonUnreachableError, DaemonAnswerError) as error:
        if not spool:
            raise
        from notifyd.client.spool import spool_instead  # noqa: PLC0415 - only without a daemon

        answer = {
            "success": True,
            "id": spool_instead(error, "send", message, socket_path=path),
            "status": "spooled",
        }
    return SentNotification(answer)


async def asend(
    body: str = "",
    *,
    title: str = "",
    priority: str = "default",
    data: Mapping[str, object] | None = None,
    url: str = "",
    key: str = "",
    delay: str | float = 0,
    wait: str | float = 0,
    spool: bool = True,
    socket: str | os.PathLike[str] | None = None,
    timeout: float = 10.0,  # noqa: ASYNC109 - the thread ends by it, unlike by a cancellation
) -> SentNotification:
    """Send like `send`, on another thread, so that the event loop goes on."""
    import asyncio  # noqa: PLC0415 - who calls this has imported it

    return await asyncio.to_thread(
        send,
        body,
        title=title,
        priority=priority,
        data=data,
        url=url,
        key=key,
        delay=delay,
        wait=wait,
        spool=spool,
        socket=socket,
        timeout=timeout,
    )


def _plain(data: Mapping[str, object]) -> dict[str, object]:
    """Return values that are valid in JSON: NaN as text, other objects as numbers or text."""
    text = json.dumps(dict(data), default=_as_number_or_text)
    values: dict[str, object] = json.loads(text, parse_constant=str)
    return values


def _as_number_or_text(value: object) -> object:
    """Convert a scalar of NumPy, PyTorch or JAX by its `item`, anything else to text."""
    try:
        number = value.item()  # type: ignore[attr-defined]  # what has none is text
    except (AttributeError, TypeError, ValueError, RuntimeError):
        return str(value)
    return number if isinstance(number, (bool, int, float, str)) else str(number)


def _duration(value: str | float) -> str:
    """Return a duration as the daemon reads it; empty for none."""
    return value if isinstance(value, str) else f"{value:.3f}s" if value else ""
