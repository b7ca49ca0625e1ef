"""The buffer into which files are read, and the chunks of lines in it."""

import os
from typing import Final, NamedTuple

from notifyd.sources.logs.checkpoint import TAIL_SIZE

BLOCK_SIZE: Final = 1 << 20
_FIRST_SIZE: Final = 64 << 10
"""Bytes of a block until a file has more to read. That suffices for logs that grow slowly."""
BOM: Final = b"\xef\xbb\xbf"
COMPRESSED_MAGIC: Final = (
    b"\x1f\x8b\x08",
    b"\xfd7zXZ\x00",
    b"\x28\xb5\x2f\xfd",
    b"\x04\x22\x4d\x18",
    b"PK\x03\x04",
    b"\x1f\x9d",
    *(b"BZh%d1AY&SY" % level for level in range(1, 10)),
)


def new_buffer() -> bytearray:
    """Return room for the TAIL_SIZE bytes before a block, and the block. All readers share it."""
    return bytearray(TAIL_SIZE + _FIRST_SIZE)


def read_into(buffer: bytearray, start: int, descriptor: int, offset: int) -> int:
    """Read a file into a buffer from an index on; return how many bytes, up to the whole buffer.

    If it does not suffice, the buffer is made as long as it may be.
    """
    length = _preadv(buffer, start, descriptor, offset)
    if start + length < len(buffer) or len(buffer) == TAIL_SIZE + BLOCK_SIZE:
        return length
    buffer.extend(bytes(TAIL_SIZE + BLOCK_SIZE - len(buffer)))
    return _preadv(buffer, start, descriptor, offset)


def _preadv(buffer: bytearray, start: int, descriptor: int, offset: int) -> int:
    with memoryview(buffer) as view, view[start:] as room:
        return os.preadv(descriptor, [room], offset)


class Chunk(NamedTuple):
    """Complete lines between two indexes of the buffer, or a part of a line that is too long.

    base: the offset in the file of index 0 of the buffer. is_line_head: it is a part of a line,
    whose LF was not read. With a long line, the chunk continues it.
    """

    start: int
    end: int
    base: int
    is_line_head: bool
