"""One open log file: where its reading stands, and the next whole lines of it."""

import os
from dataclasses import replace
from typing import Final

from notifyd.sources.logs.checkpoint import CHECKED, Checkpoint, FileId, digest
from notifyd.sources.logs.discovery.access import UnreadableFileError
from notifyd.sources.logs.reading.buffer import BLOCK, BOM, COMPRESSED, Chunk
from notifyd.sources.logs.reading.descriptor_pool import PooledFile
from notifyd.sources.logs.reading.fingerprint import HEAD, Fingerprint
from notifyd.sources.logs.reading.unread_snapshot import UnreadSnapshot

_PROBE: Final = 64 << 10


class LogReader:
    """Reads one file by its descriptor, whatever its name is now. `offset` only grows, or is 0."""

    def __init__(self, handle: PooledFile, key: FileId, path: str) -> None:
        self.handle = handle
        self.key = key
        self.path = path
        self.offset = 0
        self.since: dict[str, int] = {}
        self.until: int | None = None
        self.skipping = False
        self.fresh = True
        """Whether nothing of it was given away yet, so that it may still turn out to be a copy."""
        self.copied = False
        """Whether what lies before the offset was read elsewhere."""
        self.known = False
        """Whether it is surely the file that a position was of, also if nothing was read of it."""
        self.sought = False
        """Whether it was deleted while it was followed, so that no copy holds more than it does."""
        self.lost: Checkpoint | None = None
        """Where reading stood when it had to begin anew, until somebody takes note of it."""
        self.stamp: tuple[int, int] | None = None
        """Size and time of change when somebody last looked at the name."""
        self.last = Checkpoint(path, 0, "")
        """The position that was taken last."""
        self.modified = os.fstat(handle.descriptor).st_mtime_ns
        """When it was written to, as of when it was last seen to be what it was."""
        self._seen = self.modified
        """When it was written to, as of the last reading."""
        self.begun = self.modified
        """When what it holds was begun, as far as that was seen."""
        self._print = Fingerprint()
        self._glimpsed: UnreadSnapshot | None = None
        """What was in it when it was not its turn yet to be read."""
        self.blank = True
        """Whether nothing but NUL bytes was read, if anything."""
        self._searched = 0
        """How many bytes from the offset on are known to hold no LF."""

    @property
    def descriptor(self) -> int:
        return self.handle.descriptor

    def close(self) -> None:
        self.handle.close()

    def position(self, seen: float) -> Checkpoint:
        """Take the position; a file that is closed at rest is not opened for it."""
        self.last = Checkpoint(
            self.path,
            self.offset,
            digest(self._print.check),
            skipping=self.skipping,
            blank=self.blank,
            since=dict(self.since),
            until=self.until,
            seen=seen,
            modified=self.modified,
            head=self._print.head_digest,
            begun=self.begun,
            version=self.handle.version,
            place=self.handle.place if self.handle.kept else "",
            copied=self.copied,
            sought=self.sought,
            checked=CHECKED,
        )
        return self.last

    def take_up(self, position: Checkpoint) -> bool:
        """Go on where a position of this very file says, if it is still what it was."""
        known = position.version and self.handle.version
        if (known and known != position.version) or not self.resume(position):
            return False
        self.known, self.copied, self.begun = bool(known), position.copied, position.begun
        self.fresh = self.fresh or self.copied
        return True

    def fits(self, position: Checkpoint) -> bool:
        """Whether this file, or a copy of it, holds what was read up to a position."""
        return Fingerprint.taken(self.descriptor, position.offset).fits(position)

    def resume(self, position: Checkpoint) -> bool:
        """Go on where a position says, if this file, or a copy of it, holds what was read."""
        taken = Fingerprint.taken(self.descriptor, position.offset)
        if not taken.fits(position):
            return False
        self.offset, self._print = position.offset, taken
        inside = self.offset > 0 and not position.check and not taken.check.endswith(b"\n")
        self.skipping, self.blank = position.skipping or inside, position.blank
        self.since, self.until = dict(position.since), position.until
        self.fresh, self.copied = self.offset == 0, False
        return True

    def go(self, offset: int) -> None:
        """Begin at an offset; in the middle of a line, with the line after it."""
        taken = Fingerprint.taken(self.descriptor, offset)
        whole = len(taken.check) == min(offset, CHECKED)
        self.offset, self._print = (offset, taken) if whole else (0, Fingerprint())
        self.skipping = self.offset > 0 and not taken.check.endswith(b"\n")
        self.blank = self.offset == 0

    def restart(self) -> None:
        """Begin anew: the file was truncated, or is another."""
        lost, first = self.position(self.last.seen), self._print.head
        self.lost = replace(lost, cut=self.written, first=first)
        self.modified = self.begun = self.written
        self.offset = self._searched = 0
        self._print = Fingerprint()
        self.skipping, self.blank, self.fresh, self.copied = False, True, True, False
        self.since = dict.fromkeys(self.since, 0)
        self.glimpse()

    def _give_up(self) -> None:
        """Take note that what was read before is not there any more."""
        if self.until is not None:
            self.until = self.offset = 0  # so there is nothing to catch up with
        else:
            self.restart()

    def glimpse(self) -> None:
        """Remember what is in a file of which nothing is read yet."""
        if self.offset == 0:
            self._glimpsed = UnreadSnapshot.taken(self.descriptor)

    def _was_truncated(self) -> bool:
        """Whether what was glimpsed is no more, so that it went before it was read."""
        glimpsed, self._glimpsed = self._glimpsed, None
        return self.offset == 0 and glimpsed is not None and not glimpsed.stands(self.descriptor)

    def last_line(self, size: int) -> int:
        """Find where the line begins that is unfinished at `size`; `size` itself if none is."""
        low = max(0, size - BLOCK)
        block = os.pread(self.descriptor, size - low, low)
        newline = block.rfind(b"\n")
        return low + newline + 1 if newline >= 0 or low == 0 else size

    @property
    def size(self) -> int:
        return os.fstat(self.descriptor).st_size

    @property
    def written(self) -> int:
        """When it was written to last, in nanoseconds."""
        return os.fstat(self.descriptor).st_mtime_ns

    def copy(self, read: int) -> None:
        """Pass over what was read of the file that this is a copy of, in whole lines."""
        self.go(self.last_line(min(self.size, read)))
        self.copied = True

    def start_over(self) -> None:
        """Begin at the start after all, as this is no copy: it only began like another file."""
        self.go(0)
        self.copied = False

    def pass_over(self) -> None:
        """Go behind all that this holds, as it was read elsewhere."""
        self.go(self.size)
        self.fresh = self.copied = False

    @property
    def intact(self) -> bool:
        """Whether the file still holds what was read of it."""
        here = Fingerprint.taken(self.descriptor, self.offset)
        return here == self._print

    @property
    def deleted(self) -> bool:
        return os.fstat(self.descriptor).st_nlink == 0

    @property
    def caught_up(self) -> bool:
        """Whether all whole lines that are in the file were given away."""
        try:
            return self.size <= self.offset + self._searched
        except (OSError, UnreadableFileError):
            return True  # it is not to be had any more

    @property
    def finished(self) -> bool:
        """Whether this was a lane and has caught up."""
        return self.until is not None and self.offset >= self.until

    def read(self, buffer: bytearray) -> Chunk | None:
        """Read what comes next into the buffer; None when no whole line has come."""
        number = self.descriptor
        self._seen = os.fstat(number).st_mtime_ns
        if self.until is None and self._was_truncated():
            self.restart()
            return None
        while not self.finished and not self._unfinished(number):
            check = self._print.check
            first = CHECKED - len(check)
            got = os.preadv(number, [memoryview(buffer)[first:]], self.offset - len(check))
            got -= len(check)
            if not self._stands(number, got, buffer[first:CHECKED]):
                self._give_up()
                return None
            if self.until is not None:
                got = min(got, self.until - self.offset)
            if got <= 0:
                return None
            start, end = CHECKED, CHECKED + got
            if self.offset == 0 and buffer.startswith(COMPRESSED, start):
                return None
            if self.blank and buffer[start] == 0:
                self._skip_nul(number, buffer, end)
                continue
            if self.skipping:
                newline = buffer.find(b"\n", start, end) + 1
                self.skipping = newline == 0
                self._consume(buffer, newline or end)
                continue
            if self.offset == 0 and buffer.startswith(BOM, start, end):
                start += len(BOM)
            base = self.offset - CHECKED
            cut = buffer.rfind(b"\n", start, end) + 1
            if cut:
                return Chunk(start, cut, base, head=False)
            if got == BLOCK or (self.until is not None and self.offset + got == self.until):
                return Chunk(start, end, base, head=True)
            self._searched = got
            return None
        return None

    def _stands(self, number: int, got: int, before: bytearray) -> bool:
        """Whether what was read is still there, in front of what comes; notes how old it is."""
        same = got >= 0 and before == self._print.check and self._print.begins(number)
        if same and not self.blank:  # of NUL bytes nothing tells whether they are the same
            self.modified = self._seen
        return same

    @property
    def unfinished(self) -> int:
        """How many bytes of an unfinished line `read` met last, when it gave None."""
        return 0 if self.skipping else self._searched

    def partial(self, buffer: bytearray) -> Chunk | None:
        """Read the unfinished line at the offset, without going on behind it."""
        if self.skipping or self.until is not None:
            return None
        got = os.preadv(self.descriptor, [memoryview(buffer)[CHECKED:]], self.offset)
        if got <= 0 or buffer.find(b"\n", CHECKED, CHECKED + got) >= 0:
            return None
        bom = self.offset == 0 and buffer.startswith(BOM, CHECKED, CHECKED + got)
        start = CHECKED + bom * len(BOM)
        return Chunk(start, CHECKED + got, self.offset - CHECKED, head=True)

    def advance(self, buffer: bytearray, piece: Chunk, end: int) -> None:
        """Take note that the piece was given away up to an index of the buffer."""
        self._consume(buffer, end)
        self.modified = self._seen
        self.skipping = piece.head
        self.blank = self.fresh = self.copied = False

    def _consume(self, buffer: bytearray, end: int) -> None:
        self.offset += end - CHECKED
        self._print.pass_over(buffer, CHECKED, end)
        self._searched = 0

    def _unfinished(self, number: int) -> bool:
        """Look for the end of a long unfinished line in what is new only, not in all of it."""
        while self._searched >= _PROBE:
            new = os.pread(number, _PROBE, self.offset + self._searched)
            if not new:
                size = os.fstat(number).st_size
                if size == self.offset + self._searched:
                    return True
            self._searched += len(new)
            if not new or b"\n" in new or self._searched >= BLOCK:
                self._searched = 0
        return False

    def _skip_nul(self, number: int, buffer: bytearray, end: int) -> None:
        """Pass over what a writer left out that went on at its old offset after a truncation."""
        try:
            data = os.lseek(number, self.offset, os.SEEK_DATA)
        except OSError:
            data = self.offset
        if data > self.offset:
            self.offset = data
            self._print = Fingerprint(bytes(min(data, HEAD)), bytes(min(data, CHECKED)))
            return
        nul = end - CHECKED - len(bytes(memoryview(buffer)[CHECKED:end]).lstrip(b"\0"))
        self._consume(buffer, CHECKED + nul)
