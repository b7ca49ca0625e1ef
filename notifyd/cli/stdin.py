"""Reads the end of stdin, for commands that send it."""

import sys

from notifyd.cli.exit_status import UsageError

_CHUNK = 1 << 16
_MOST_READ = 1 << 30
"""Bytes read from stdin. Its writer gets a broken pipe after that."""
_KEPT = 256 << 10
"""Bytes at the end of stdin that are returned."""


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
