"""Reads stdin, for commands that send it or its end."""

import os
import sys
from contextlib import suppress

from notifyd.cli.exit_status import UsageError

_CHUNK = 1 << 16
_MOST_READ = 1 << 30
"""Bytes read from stdin. Its writer gets a broken pipe after that."""
_KEPT = 256 << 10
"""Bytes at the end of stdin that are returned."""
_PAUSE = 0.1
"""Seconds without a byte after which it is looked whether a JSON object is complete."""


def read_end() -> str:
    """Return the end of stdin, without newlines at its end. UsageError if it is closed."""
    if sys.stdin is None:
        raise UsageError("- reads from stdin, but stdin is closed")
    kept, left, is_cut = bytearray(), _MOST_READ, False
    while left > 0 and (chunk := sys.stdin.buffer.read(_CHUNK)):
        left -= len(chunk)
        kept += chunk
        if len(kept) > 2 * _KEPT:
            del kept[:-_KEPT]
            is_cut = True
    sys.stdin.close()
    text = kept.decode("utf-8", "replace").rstrip("\n")
    return text.lstrip("\ufffd") if is_cut else text  # the cut may go through a character


def read_within(seconds: float, largest: int) -> bytes | None:
    """Return all of stdin, or what came within so many seconds; None if it is larger than allowed.

    A terminal and a closed stdin have nothing. JSON that is complete does not wait for the end of
    stdin, which some programs never close.
    """
    import select  # noqa: PLC0415 - only `notifyd hook` needs both
    from time import monotonic  # noqa: PLC0415 - as above

    deadline = monotonic() + seconds
    kept, size, pause = bytearray(), 0, seconds
    with suppress(OSError, ValueError):  # what came so far is all there is
        while not os.isatty(0) and (left := deadline - monotonic()) > 0:
            ready, _, _ = select.select([0], [], [], min(left, pause))
            if not ready:
                if size > largest or _is_complete(kept):
                    break
                pause = seconds
                continue
            if not (chunk := os.read(0, _CHUNK)):
                break
            size += len(chunk)
            if size <= largest:
                kept += chunk
            pause = _PAUSE if chunk.rstrip()[-1:] == b"}" else seconds
    return bytes(kept) if size <= largest else None


def _is_complete(content: bytearray) -> bool:
    import json  # noqa: PLC0415 - as above

    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return False
    return True
