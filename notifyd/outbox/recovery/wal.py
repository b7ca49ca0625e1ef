"""The write-ahead log, in which damage is worse than SQLite reports.

SQLite takes a damaged frame for the end of the log and silently drops the commits behind it. But
every commit is synced before the next one begins: a damaged frame with valid transactions behind
it is damage, not power loss, and those transactions can be verified and restored.

Source: https://www.sqlite.org/fileformat2.html, section 4 (the write-ahead log).
"""

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_HEADER_SIZE, _FRAME_HEADER_SIZE = 32, 24
_DEFAULT_PAGE_SIZE = 4096
"""Bytes of a page, as in notifyd's databases, for a log whose header is damaged."""
_BIG_ENDIAN = 0x377F0683
_MAGIC = (_BIG_ENDIAN - 1, _BIG_ENDIAN)
_NATIVE = "<" if sys.byteorder == "little" else ">"
_MASK = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Frame:
    """One page in the log. commit: pages of the database after it; 0 within a transaction."""

    page: int
    commit: int
    is_valid: bool
    data: bytes


def has_lost_commits(path: Path) -> bool:
    """Whether this database's log holds commits behind a damaged frame."""
    try:
        data = _wal_path(path).read_bytes()
    except OSError:
        return False
    commits = 0
    is_damaged = False
    for frame in _frames(data):
        is_damaged = is_damaged or not frame.is_valid
        commits += is_damaged and frame.is_valid and frame.commit > 0
    return commits > 1  # the first may be the end of a transaction whose beginning is damaged


def restore_frames(path: Path) -> bool:
    """Write all valid transactions of a damaged log into its database, and delete the log.

    Returns whether the log was damaged; if not, nothing is changed.
    """
    if not has_lost_commits(path):
        return False
    log = _wal_path(path)
    committed: dict[int, bytes] = {}
    pending: dict[int, bytes] = {}
    for frame in _frames(log.read_bytes()):
        if frame.is_valid:
            pending[frame.page] = frame.data
            if frame.commit:
                committed |= pending
                pending = {}
    with path.open("r+b") as file:
        for page, data in committed.items():
            file.seek((page - 1) * len(data))
            file.write(data)
    log.unlink()
    return True


def _wal_path(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _frames(data: bytes) -> Iterator[Frame]:
    """Yield all frames; those left from earlier uses of the log are invalid by their salts."""
    if len(data) < _HEADER_SIZE + _FRAME_HEADER_SIZE:
        return
    magic, _, page_size, _ = struct.unpack(">4I", data[:16])
    salts, checksum = data[16:24], struct.unpack(">2I", data[24:32])
    order = ">" if magic == _BIG_ENDIAN else "<"
    if magic not in _MAGIC or _checksum((0, 0), data[:24], order) != checksum:
        # With a damaged header, SQLite takes the whole log for empty.
        yield Frame(0, 0, is_valid=False, data=b"")
        page_size, order = _DEFAULT_PAGE_SIZE, _NATIVE
        salts = data[_HEADER_SIZE + 8 : _HEADER_SIZE + 16]
    size = _FRAME_HEADER_SIZE + page_size
    for at in range(_HEADER_SIZE, len(data) - size + 1, size):
        page, commit = struct.unpack(">2I", data[at : at + 8])
        stored = struct.unpack(">2I", data[at + 16 : at + _FRAME_HEADER_SIZE])
        body = data[at + _FRAME_HEADER_SIZE : at + size]
        is_valid = data[at + 8 : at + 16] == salts and page > 0
        is_valid = is_valid and _checksum(checksum, data[at : at + 8] + body, order) == stored
        checksum = stored
        yield Frame(page, commit, is_valid, body)


def _checksum(start: tuple[int, ...], data: bytes, order: str) -> tuple[int, int]:
    first, second = start
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = first + one + second & _MASK
        second = second + other + first & _MASK
    return first, second
