"""What a request of a ping says: its signal in the path, the job's output in the body."""

from typing import NamedTuple

from notifyd.http.request import ClientT, Request
from notifyd.model.pings import OUTPUT_KEPT, PingSignal
from notifyd.text.limits import strip_control
from notifyd.text.visible import visible_text

LONGEST_RUN = 64
"""Characters of the id of a run."""

_MOST_STATUS = 255
_ELLIPSIS = "…\n"
_SCANNED = 64 << 10
"""Bytes at the end of a body that are kept until its visible text is known."""


class Signal(NamedTuple):
    signal: PingSignal
    exit_status: int | None = None


def parse_signal(text: str) -> Signal | None:
    """Convert `start`, `success`, `fail`, `log` or an exit status; None for anything else."""
    if text.isascii() and text.isdigit() and len(text) <= len(str(_MOST_STATUS)):
        status = int(text)
        if status > _MOST_STATUS:
            return None
        return Signal(PingSignal.FAIL if status else PingSignal.SUCCESS, status)
    return Signal(PingSignal(text)) if text in frozenset(PingSignal) else None


async def read_output(request: Request[ClientT]) -> str:
    """Read the end of the output in a body; empty if there is none. HttpError as of `body`."""
    return clip_output(await request.body_end(_SCANNED)) if request.has_body else ""


def clip_output(body: bytes) -> str:
    """Return the end of an output as visible text, beginning with a line where one is near."""
    text = strip_control(visible_text(body.decode("utf-8", "replace"))).strip()
    if len(text) <= OUTPUT_KEPT:
        return text
    text = text[-(OUTPUT_KEPT - len(_ELLIPSIS)) :]
    _, found, complete = text.partition("\n")
    return _ELLIPSIS + (complete if found and len(complete) > len(text) // 2 else text)
