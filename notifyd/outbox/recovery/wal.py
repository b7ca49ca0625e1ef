"""The write-ahead log, where damage is worse than SQLite says.

SQLite takes a broken frame for the end of the log, and forgets without a word what was committed
behind it. But every commit was synced before the next one began: a broken frame with whole
transactions behind its own is damage, not power loss, and what lies behind it can be checked.

Source: https://www.sqlite.org/fileformat2.html, section 4 (the write-ahead log).
"""

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_HEAD, _FRAME = 32, 24
"""Bytes of the header of the log, and of each frame's."""
_PAGE = 4096
"""Bytes of a page where the header cannot tell: what notifyd's databases have."""
_BIG = 0x377F0683
_MAGIC = (_BIG - 1, _BIG)
_NATIVE = "<" if sys.byteorder == "little" else ">"
_MASK = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Frame:
    """A page as it was written. commit: pages of the database after it, 0 within a transaction."""

    page: int
    commit: int
    sound: bool
    data: bytes


def broken(path: Path) -> bool:
    """Whether commits lie behind a broken frame in the log of this database."""
    try:
        data = _beside(path).read_bytes()
    except OSError:
        return False
    commits = 0
    hole = False
    for frame in _frames(data):
        hole = hole or not frame.sound
        commits += hole and frame.sound and frame.commit > 0
    return commits > 1  # the first may be the end of a transaction that was never whole


def rescue(path: Path) -> bool:
    """Write all sound frames of a broken log into its database, and drop the log.

    Tells whether it was broken.
    """
    if not broken(path):
        return False
    log = _beside(path)
    written: dict[int, bytes] = {}
    pending: dict[int, bytes] = {}
    for frame in _frames(log.read_bytes()):
        if frame.sound:
            pending[frame.page] = frame.data
            if frame.commit:
                written |= pending
                pending = {}
    with path.open("r+b") as file:
        for page, data in written.items():
            file.seek((page - 1) * len(data))
            file.write(data)
    log.unlink()
    return True


def _beside(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _frames(data: bytes) -> Iterator[Frame]:
    """Give all frames, those of earlier rounds too, which are never sound: their salts differ."""
    if len(data) < _HEAD + _FRAME:
        return
    magic, _, size, _ = struct.unpack(">4I", data[:16])
    salts, before = data[16:24], struct.unpack(">2I", data[24:32])
    order = ">" if magic == _BIG else "<"
    if magic not in _MAGIC or _summed((0, 0), data[:24], order) != before:
        # the header itself is broken: SQLite then takes the whole log for empty
        yield Frame(0, 0, sound=False, data=b"")
        size, salts, order = _PAGE, data[_HEAD + 8 : _HEAD + 16], _NATIVE
    for at in range(_HEAD, len(data) - _FRAME - size + 1, _FRAME + size):
        page, commit = struct.unpack(">2I", data[at : at + 8])
        stored = struct.unpack(">2I", data[at + 16 : at + _FRAME])
        body = data[at + _FRAME : at + _FRAME + size]
        sound = data[at + 8 : at + 16] == salts and page > 0
        sound = sound and _summed(before, data[at : at + 8] + body, order) == stored
        before = stored
        yield Frame(page, commit, sound, body)


def _summed(start: tuple[int, ...], data: bytes, order: str) -> tuple[int, int]:
    first, second = start
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = first + one + second & _MASK
        second = second + other + first & _MASK
    return first, second
