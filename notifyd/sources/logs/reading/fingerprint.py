"""The bytes by which a file is known again: its first ones, and those just before an offset."""

import os
from typing import Self

from notifyd.sources.logs.checkpoint import CHECKED, Checkpoint, digest

HEAD = 256
"""How many first bytes are compared: where lines end alike, their times stand in front."""


class Fingerprint:
    """head: the first bytes, at most HEAD. check: those before the offset, at most CHECKED."""

    __slots__ = ("_told", "check", "head")

    def __init__(self, head: bytes = b"", check: bytes = b"") -> None:
        self.head, self.check = head, check
        self._told = (b"", "")

    @classmethod
    def taken(cls, descriptor: int, offset: int) -> Self:
        """Take it of what lies before an offset; shorter than it should be if the file is."""
        low = max(0, offset - CHECKED)
        check = os.pread(descriptor, offset - low, low)
        return cls(os.pread(descriptor, min(offset, HEAD), 0), check)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Fingerprint):
            return NotImplemented
        return (self.head, self.check) == (other.head, other.check)

    __hash__ = None  # type: ignore[assignment]  # it grows

    def fits(self, position: Checkpoint) -> bool:
        """Whether this, taken at the position's offset, is what was there when it was written."""
        at = position.offset
        if len(self.check) < min(at, CHECKED) or len(self.head) < min(at, HEAD):
            return False
        if position.check and digest(self.check[-position.checked :]) != position.check:
            return False
        return not position.head or digest(self.head) == position.head

    def begins(self, descriptor: int) -> bool:
        """Whether a file begins with the first bytes."""
        return os.pread(descriptor, len(self.head), 0) == self.head

    def pass_over(self, block: bytearray, start: int, end: int) -> None:
        """Go on behind bytes that lie in a block, with those of `check` right before `start`."""
        if len(self.head) < HEAD:
            self.head += bytes(block[start : min(end, start + HEAD - len(self.head))])
        self.check = bytes(block[max(start - len(self.check), end - CHECKED) : end])

    @property
    def head_digest(self) -> str:
        """The digest of the first bytes, which seldom change."""
        if self._told[0] != self.head:
            self._told = (self.head, digest(self.head))
        return self._told[1]
