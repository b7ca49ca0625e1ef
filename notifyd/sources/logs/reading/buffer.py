"""The room into which files are read, and the whole lines found in it."""

from typing import Final, NamedTuple

from notifyd.sources.logs.checkpoint import TAIL_SIZE

BLOCK_SIZE: Final = 1 << 20
BOM = b"\xef\xbb\xbf"
COMPRESSED_MAGIC = (
    b"\x1f\x8b\x08",
    b"\xfd7zXZ\x00",
    b"\x28\xb5\x2f\xfd",
    b"\x04\x22\x4d\x18",
    b"PK\x03\x04",
    b"\x1f\x9d",
    *(b"BZh%d1AY&SY" % level for level in range(1, 10)),
)


def new_buffer() -> bytearray:
    """Make room for one block and the checked bytes before it; one serves all tails."""
    return bytearray(TAIL_SIZE + BLOCK_SIZE)


class Chunk(NamedTuple):
    """Whole lines between two indexes of the buffer, or the head of a line that is too long.

    base: the file's offset at index 0 of the buffer.
    """

    start: int
    end: int
    base: int
    is_line_head: bool
