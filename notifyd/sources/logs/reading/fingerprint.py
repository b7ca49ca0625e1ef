"""The bytes by which a file is known again: its first ones, and those just before an offset."""

import os
from typing import Self

from notifyd.sources.logs.checkpoint import TAIL_SIZE, Checkpoint, digest

HEAD_SIZE = 256
"""How many first bytes are compared: where lines end alike, their times stand in front."""


class Fingerprint:
    """The first HEAD_SIZE bytes of a file, and the last TAIL_SIZE bytes before an offset."""

    __slots__ = ("_cached_head_digest", "head", "tail")

    def __init__(self, head: bytes = b"", check: bytes = b"") -> None:
        self.head, self.tail = head, check
        self._cached_head_digest = (b"", "")

    @classmethod
    def read(cls, descriptor: int, offset: int) -> Self:
        """Take it of what lies before an offset; shorter than it should be if the file is."""
        low = max(0, offset - TAIL_SIZE)
        check = os.pread(descriptor, offset - low, low)
        return cls(os.pread(descriptor, min(offset, HEAD_SIZE), 0), check)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Fingerprint):
            return NotImplemented
        return (self.head, self.tail) == (other.head, other.tail)

    __hash__ = None  # type: ignore[assignment]  # it grows

    def matches(self, position: Checkpoint) -> bool:
        """Whether this, taken at the position's offset, is what was there when it was written."""
        at = position.offset
        if len(self.tail) < min(at, TAIL_SIZE) or len(self.head) < min(at, HEAD_SIZE):
            return False
        if position.tail_digest and digest(self.tail[-position.tail_len :]) != position.tail_digest:
            return False
        return not position.head_digest or digest(self.head) == position.head_digest

    def has_same_head(self, descriptor: int) -> bool:
        """Whether a file begins with the first bytes."""
        return os.pread(descriptor, len(self.head), 0) == self.head

    def advance(self, block: bytearray, start: int, end: int) -> None:
        """Go on behind bytes that lie in a block, with those of `check` right before `start`."""
        if len(self.head) < HEAD_SIZE:
            self.head += bytes(block[start : min(end, start + HEAD_SIZE - len(self.head))])
        self.tail = bytes(block[max(start - len(self.tail), end - TAIL_SIZE) : end])

    @property
    def head_digest(self) -> str:
        """The digest of the first bytes, which seldom change."""
        if self._cached_head_digest[0] != self.head:
            self._cached_head_digest = (self.head, digest(self.head))
        return self._cached_head_digest[1]
