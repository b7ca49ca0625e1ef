"""The bytes by which a file is recognized: its first ones, and those just before an offset."""

import os
from typing import Self

from notifyd.sources.logs.checkpoint import TAIL_SIZE, Checkpoint, digest

HEAD_SIZE = 256
"""How many first bytes are compared: lines that end alike often begin with different times."""


class Fingerprint:
    """The first HEAD_SIZE bytes of a file, and the last TAIL_SIZE bytes before an offset."""

    __slots__ = ("_cached_digest", "head", "tail")

    def __init__(self, head: bytes = b"", tail: bytes = b"") -> None:
        self.head, self.tail = head, tail
        self._cached_digest = (b"", "")

    @classmethod
    def read(cls, descriptor: int, offset: int) -> Self:
        """Read the bytes of what is before an offset; fewer if the file is shorter."""
        low = max(0, offset - TAIL_SIZE)
        tail = os.pread(descriptor, offset - low, low)
        return cls(os.pread(descriptor, min(offset, HEAD_SIZE), 0), tail)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Fingerprint):
            return NotImplemented
        return (self.head, self.tail) == (other.head, other.tail)

    __hash__ = None  # type: ignore[assignment]  # it is mutable

    def is_complete(self, offset: int) -> bool:
        """Whether the file was long enough when this was read at an offset."""
        return len(self.tail) == min(offset, TAIL_SIZE) and len(self.head) == min(offset, HEAD_SIZE)

    def matches(self, checkpoint: Checkpoint) -> bool:
        """Whether this, read at the offset of a checkpoint, is what was there at that time."""
        if not self.is_complete(checkpoint.offset):
            return False
        tail = self.tail[-checkpoint.tail_len :]
        if checkpoint.tail_digest and digest(tail) != checkpoint.tail_digest:
            return False
        return not checkpoint.head_digest or digest(self.head) == checkpoint.head_digest

    def has_same_head(self, descriptor: int) -> bool:
        """Whether a file begins with the first bytes."""
        return os.pread(descriptor, len(self.head), 0) == self.head

    def advance(self, block: bytearray, start: int, end: int) -> None:
        """Move the offset over the bytes of a block from `start` to `end`.

        The bytes of `tail` must precede `start` in the block.
        """
        if len(self.head) < HEAD_SIZE:
            self.head += bytes(block[start : min(end, start + HEAD_SIZE - len(self.head))])
        self.tail = bytes(block[max(start - len(self.tail), end - TAIL_SIZE) : end])

    def advance_over_hole(self, length: int) -> None:
        """Move the offset over NUL bytes."""
        self.head += bytes(min(length, HEAD_SIZE - len(self.head)))
        self.tail = (self.tail + bytes(min(length, TAIL_SIZE)))[-TAIL_SIZE:]

    @property
    def head_digest(self) -> str:
        if self._cached_digest[0] != self.head:
            self._cached_digest = (self.head, digest(self.head))
        return self._cached_digest[1]
