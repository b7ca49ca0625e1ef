"""The journal's own protocol: an entry with fields is one datagram."""

import os
import re
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TextIO

SOCKET = Path("/run/systemd/journal/socket")
_PREFIX = "NOTIFYD_"
_LONGEST_NAME = 64


def is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Return whether systemd connected the stream to the journal, by $JOURNAL_STREAM."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):  # such as a stream without a descriptor
        return False
    return environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def write_entry(
    message: str, priority: int, fields: Mapping[str, object], path: Path = SOCKET
) -> bool:
    """Write an entry; return whether the journal has taken it. Never waits.

    priority: of syslog(3). fields: each becomes NOTIFYD_NAME, a list one field per item.
    """
    entry = [("MESSAGE", message), ("PRIORITY", str(priority)), ("SYSLOG_IDENTIFIER", "notifyd")]
    for name, value in fields.items():
        items = value if isinstance(value, (list, tuple)) else [value]
        entry += [(_field_name(name), str(item)) for item in items]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            sender.sendmsg([_encode(entry)], (), socket.MSG_DONTWAIT, str(path))
        except OSError:  # no journal, a full queue, an entry that is too large
            return False
    return True


def _field_name(name: str) -> str:
    return (_PREFIX + re.sub(r"[^A-Z0-9_]", "_", name.upper()))[:_LONGEST_NAME]


def _encode(entry: Iterable[tuple[str, str]]) -> bytes:
    """Encode fields; a value of several lines carries its length. Source: sd_journal_print(3)."""
    parts = []
    for name, text in entry:
        value = text.encode("utf-8", "replace")
        if b"\n" in value:
            parts.append(b"%s\n%s%s\n" % (name.encode(), len(value).to_bytes(8, "little"), value))
        else:
            parts.append(b"%s=%s\n" % (name.encode(), value))
    return b"".join(parts)
