"""One open log file: where its reading stands, and the next whole lines of it."""

import os
from typing import Final, NamedTuple

from notifyd.sources.log.position import CHECKED, Key, Position, digest

BLOCK: Final = 1 << 20
_PROBE = 64 << 10
_HEAD = 4 << 10
_BOM = b"\xef\xbb\xbf"
_COMPRESSED = (
    b"\x1f\x8b\x08",
    b"\xfd7zXZ\x00",
    b"\x28\xb5\x2f\xfd",
    *(b"BZh%d1AY&SY" % level for level in range(1, 10)),
)


def buffer() -> bytearray:
    """Make room for one block and the checked bytes before it; one serves all tails."""
    return bytearray(CHECKED + BLOCK)


class Piece(NamedTuple):
    """Whole lines between two indexes of the buffer, or the head of a line that is too long.

    base: the file's offset at index 0 of the buffer.
    """

    start: int
    end: int
    base: int
    head: bool


class Tail:
    """Reads one file by its descriptor, whatever its name is now. `offset` only grows, or is 0."""

    def __init__(self, descriptor: int, key: Key, path: str) -> None:
        self.descriptor = descriptor
        self.key = key
        self.path = path
        self.offset = 0
        self.since: dict[str, int] = {}
        self.until: int | None = None
        self.skipping = False
        self.lost: Position | None = None
        """Where reading stood when it had to begin anew, until somebody takes note of it."""
        self.stamp: tuple[int, int] | None = None
        """Size and time of change when somebody last looked at the name."""
        self.last = Position(path, 0, "")
        """The position that was taken last."""
        self._check = b""
        self._blank = True
        self._searched = 0
        """How many bytes from the offset on are known to hold no LF."""

    def close(self) -> None:
        os.close(self.descriptor)

    def position(self, seen: float) -> Position:
        self.last = Position(
            self.path,
            self.offset,
            digest(self._check),
            skipping=self.skipping,
            blank=self._blank,
            since=dict(self.since),
            until=self.until,
            seen=seen,
            modified=os.fstat(self.descriptor).st_mtime_ns,
        )
        return self.last

    def resume(self, position: Position) -> bool:
        """Go on where a position says, if this is still that file."""
        before = self._before(position.offset)
        if position.check and digest(before) != position.check:
            return False
        if len(before) < min(position.offset, CHECKED):
            return False
        self.offset, self._check = position.offset, before
        inside = bool(before) and not position.check and not before.endswith(b"\n")
        self.skipping, self._blank = position.skipping or inside, position.blank
        self.since, self.until = dict(position.since), position.until
        return True

    def go(self, offset: int) -> None:
        """Begin at an offset; in the middle of a line, with the line after it."""
        self._check = self._before(offset)
        self.offset = offset if len(self._check) == min(offset, CHECKED) else 0
        self.skipping = self.offset > 0 and not self._check.endswith(b"\n")
        self._blank = self.offset == 0

    def restart(self) -> None:
        """Begin anew: the file was truncated, or is another."""
        self.lost = self.position(self.last.seen)
        self.offset = self._searched = 0
        self._check = b""
        self.skipping, self._blank = False, True
        self.since = dict.fromkeys(self.since, 0)

    def last_line(self, size: int) -> int:
        """Find where the line begins that is unfinished at `size`; `size` itself if none is."""
        if self._before(size).endswith(b"\n"):
            return size
        low = max(0, size - BLOCK)
        newline = os.pread(self.descriptor, size - low, low).rfind(b"\n")
        return low + newline + 1 if newline >= 0 or low == 0 else size

    def begins_like(self, other: "Tail") -> bool:
        """Whether one of the two may be a copy of the other."""
        mine, others = (os.pread(tail.descriptor, _HEAD, 0) for tail in (self, other))
        return min(len(mine), len(others)) >= CHECKED and mine.startswith(others[: len(mine)])

    @property
    def deleted(self) -> bool:
        return os.fstat(self.descriptor).st_nlink == 0

    @property
    def caught_up(self) -> bool:
        """Whether all whole lines that are in the file were given away."""
        return os.fstat(self.descriptor).st_size <= self.offset + self._searched

    @property
    def finished(self) -> bool:
        """Whether this was a lane and has caught up."""
        return self.until is not None and self.offset >= self.until

    def read(self, buffer: bytearray) -> Piece | None:
        """Read what comes next into the buffer; None when no whole line has come."""
        while not self.finished and not self._unfinished():
            first = CHECKED - len(self._check)
            got = os.preadv(
                self.descriptor, [memoryview(buffer)[first:]], self.offset - len(self._check)
            )
            got -= len(self._check)
            if got < 0 or buffer[first:CHECKED] != self._check:
                if self.until is not None:
                    self.until = self.offset = 0  # what was to be caught up with is gone
                    return None
                self.restart()
                continue
            if self.until is not None:
                got = min(got, self.until - self.offset)
            if got == 0:
                return None
            start, end = CHECKED, CHECKED + got
            if self.offset == 0 and buffer.startswith(_COMPRESSED, start):
                return None
            if self._blank and buffer[start] == 0:
                self._skip_nul(buffer, end)
                continue
            if self.skipping:
                newline = buffer.find(b"\n", start, end) + 1
                self.skipping = newline == 0
                self._consume(buffer, newline or end)
                continue
            if self.offset == 0 and buffer.startswith(_BOM, start, end):
                start += len(_BOM)
            base = self.offset - CHECKED
            cut = buffer.rfind(b"\n", start, end) + 1
            if cut:
                return Piece(start, cut, base, head=False)
            if got == BLOCK or (self.until is not None and self.offset + got == self.until):
                return Piece(start, end, base, head=True)
            self._searched = got
            return None
        return None

    @property
    def unfinished(self) -> int:
        """How many bytes of an unfinished line `read` met last, when it gave None."""
        return 0 if self.skipping else self._searched

    def partial(self, buffer: bytearray) -> Piece | None:
        """Read the unfinished line at the offset, without going on behind it."""
        if self.skipping or self.until is not None:
            return None
        got = os.preadv(self.descriptor, [memoryview(buffer)[CHECKED:]], self.offset)
        if got <= 0 or buffer.find(b"\n", CHECKED, CHECKED + got) >= 0:
            return None
        bom = self.offset == 0 and buffer.startswith(_BOM, CHECKED, CHECKED + got)
        start = CHECKED + bom * len(_BOM)
        return Piece(start, CHECKED + got, self.offset - CHECKED, head=True)

    def advance(self, buffer: bytearray, piece: Piece, end: int) -> None:
        """Take note that the piece was given away up to an index of the buffer."""
        self._consume(buffer, end)
        self.skipping = piece.head
        self._blank = False

    def _consume(self, buffer: bytearray, end: int) -> None:
        low = max(CHECKED - len(self._check), end - CHECKED)
        self.offset += end - CHECKED
        self._check = bytes(buffer[low:end])
        self._searched = 0

    def _before(self, offset: int) -> bytes:
        low = max(0, offset - CHECKED)
        return os.pread(self.descriptor, offset - low, low)

    def _unfinished(self) -> bool:
        """Look for the end of a long unfinished line in what is new only, not in all of it."""
        while self._searched >= _PROBE:
            new = os.pread(self.descriptor, _PROBE, self.offset + self._searched)
            if not new:
                size = os.fstat(self.descriptor).st_size
                if size == self.offset + self._searched:
                    return True
            self._searched += len(new)
            if not new or b"\n" in new or self._searched >= BLOCK:
                self._searched = 0
        return False

    def _skip_nul(self, buffer: bytearray, end: int) -> None:
        """Pass over what a writer left out that went on at its old offset after a truncation."""
        try:
            data = os.lseek(self.descriptor, self.offset, os.SEEK_DATA)
        except OSError:
            data = self.offset
        if data > self.offset:
            self.offset, self._check = data, bytes(min(data, CHECKED))
            return
        nul = end - CHECKED - len(bytes(memoryview(buffer)[CHECKED:end]).lstrip(b"\0"))
        self._consume(buffer, CHECKED + nul)
