"""The spool: where files with requests lie, and what they are called.

Imports nothing, because `notifyd send` and hooks wait for it.
"""

FOLDER = "spool"
"""The spool of a daemon of one user, below its state directory."""

SYSTEM_SPOOL = "/var/spool/notifyd"
"""The spool of the system's daemon, in which every user may create files."""

FORMAT = 1
"""Written into each file; a file with a higher one comes from a newer version."""

LARGEST_FILE = 64 << 10
"""Bytes of a file. A larger one is neither written nor read."""

LIFETIME = 86_400.0
"""Seconds after which a request is no longer worth importing."""


def temporary_name(spooled_id: str) -> str:
    """Return the name of a file while it is written."""
    return f".{spooled_id}.tmp"
