"""Where lines end in a file: searched from an offset forwards, or from the end backwards."""

import os
from typing import Final

from notifyd.sources.logs.reading.buffer import BLOCK_SIZE

_PROBE_SIZE: Final = 64 << 10


class LineEndSearch:
    """How far the unfinished line at the offset of a reader was searched for its LF.

    So a long line that is written bit by bit is not read again and again as a whole.
    """

    __slots__ = ("searched",)

    def __init__(self) -> None:
        self.searched = 0
        """How many bytes from the offset on are known to contain no LF."""

    def is_unfinished(self, descriptor: int, offset: int) -> bool:
        """Whether a long line is known to be unfinished. Only what is new is searched."""
        while self.searched >= _PROBE_SIZE:
            new = os.pread(descriptor, _PROBE_SIZE, offset + self.searched)
            if not new and os.fstat(descriptor).st_size == offset + self.searched:
                return True
            self.searched += len(new)
            if not new or b"\n" in new or self.searched >= BLOCK_SIZE:
                self.searched = 0
        return False


def last_line_start(descriptor: int, size: int) -> int:
    """Return where the line starts that is unfinished at `size`; `size` itself if none is."""
    low = max(0, size - BLOCK_SIZE)
    block = os.pread(descriptor, size - low, low)
    newline = block.rfind(b"\n")
    return low + newline + 1 if newline >= 0 or low == 0 else size
