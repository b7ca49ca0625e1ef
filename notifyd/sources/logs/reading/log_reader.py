"""One open log file: where its reading stands, and the next whole lines of it."""

import os
from dataclasses import replace
from typing import Final

from notifyd.sources.logs.checkpoint import TAIL_SIZE, Checkpoint, FileId, digest
from notifyd.sources.logs.discovery.access import UnreadableFileError
from notifyd.sources.logs.reading.buffer import BLOCK_SIZE, BOM, COMPRESSED_MAGIC, Chunk
from notifyd.sources.logs.reading.descriptor_pool import PooledFile
from notifyd.sources.logs.reading.fingerprint import HEAD_SIZE, Fingerprint
from notifyd.sources.logs.reading.unread_snapshot import UnreadSnapshot

_PROBE: Final = 64 << 10


class LogReader:
    """Reads one file by its descriptor, whatever its name is now. `offset` only grows, or is 0."""

    def __init__(self, handle: PooledFile, key: FileId, path: str) -> None:
        self.file = handle
        self.key = key
        self.path = path
        self.offset = 0
        self.start_offsets: dict[str, int] = {}
        self.catch_up_end: int | None = None
        self.skipping_line = False
        self.is_unread = True
        """Whether nothing of it was given away yet, so that it may still turn out to be a copy."""
        self.is_copy = False
        """Whether what lies before the offset was read elsewhere."""
        self.inode_verified = False
        """Whether it is surely the file that a position was of, also if nothing was read of it."""
        self.copy_search_done = False
        """Whether it was deleted while it was followed, so that no copy holds more than it does."""
        self.lost_checkpoint: Checkpoint | None = None
        """Where reading stood when it had to begin anew, until somebody takes note of it."""
        self.last_stat: tuple[int, int] | None = None
        """Size and time of change when somebody last looked at the name."""
        self.last_checkpoint = Checkpoint(path, 0, "")
        """The position that was taken last."""
        self.modified_ns = os.fstat(handle.descriptor).st_mtime_ns
        """When it was written to, as of when it was last seen to be what it was."""
        self._read_modified_ns = self.modified_ns
        """When it was written to, as of the last reading."""
        self.content_since = self.modified_ns
        """When what it holds was begun, as far as that was seen."""
        self._fingerprint = Fingerprint()
        self._unread_snapshot: UnreadSnapshot | None = None
        """What was in it when it was not its turn yet to be read."""
        self.only_nul = True
        """Whether nothing but NUL bytes was read, if anything."""
        self._scanned_without_newline = 0
        """How many bytes from the offset on are known to hold no LF."""

    @property
    def descriptor(self) -> int:
        return self.file.descriptor

    def close(self) -> None:
        self.file.close()

    def take_checkpoint(self, seen: float) -> Checkpoint:
        """Take the position; a file that is closed at rest is not opened for it."""
        self.last_checkpoint = Checkpoint(
            self.path,
            self.offset,
            digest(self._fingerprint.tail),
            skipping_line=self.skipping_line,
            only_nul=self.only_nul,
            start_offsets=dict(self.start_offsets),
            catch_up_end=self.catch_up_end,
            last_seen=seen,
            modified_ns=self.modified_ns,
            head_digest=self._fingerprint.head_digest,
            content_since=self.content_since,
            inode_generation=self.file.inode_generation,
            archived_path=self.file.current_path if self.file.pinned else "",
            is_copy=self.is_copy,
            copy_search_done=self.copy_search_done,
            tail_len=TAIL_SIZE,
        )
        return self.last_checkpoint

    def resume_verified(self, position: Checkpoint) -> bool:
        """Go on where a position of this very file says, if it is still what it was."""
        known = position.inode_generation and self.file.inode_generation
        if (known and known != position.inode_generation) or not self.resume(position):
            return False
        self.inode_verified, self.is_copy, self.content_since = (
            bool(known),
            position.is_copy,
            position.content_since,
        )
        self.is_unread = self.is_unread or self.is_copy
        return True

    def holds_prefix(self, position: Checkpoint) -> bool:
        """Whether this file, or a copy of it, holds what was read up to a position."""
        return Fingerprint.read(self.descriptor, position.offset).matches(position)

    def resume(self, position: Checkpoint) -> bool:
        """Go on where a position says, if this file, or a copy of it, holds what was read."""
        taken = Fingerprint.read(self.descriptor, position.offset)
        if not taken.matches(position):
            return False
        self.offset, self._fingerprint = position.offset, taken
        inside = self.offset > 0 and not position.tail_digest and not taken.tail.endswith(b"\n")
        self.skipping_line, self.only_nul = position.skipping_line or inside, position.only_nul
        self.start_offsets, self.catch_up_end = dict(position.start_offsets), position.catch_up_end
        self.is_unread, self.is_copy = self.offset == 0, False
        return True

    def seek(self, offset: int) -> None:
        """Begin at an offset; in the middle of a line, with the line after it."""
        taken = Fingerprint.read(self.descriptor, offset)
        whole = len(taken.tail) == min(offset, TAIL_SIZE)
        self.offset, self._fingerprint = (offset, taken) if whole else (0, Fingerprint())
        self.skipping_line = self.offset > 0 and not taken.tail.endswith(b"\n")
        self.only_nul = self.offset == 0

    def _restart(self) -> None:
        """Begin anew: the file was truncated, or is another."""
        lost, first = self.take_checkpoint(self.last_checkpoint.last_seen), self._fingerprint.head
        self.lost_checkpoint = replace(lost, truncated_at=self.mtime_ns, head_bytes=first)
        self.modified_ns = self.content_since = self.mtime_ns
        self.offset = self._scanned_without_newline = 0
        self._fingerprint = Fingerprint()
        self.skipping_line, self.only_nul, self.is_unread, self.is_copy = False, True, True, False
        self.start_offsets = dict.fromkeys(self.start_offsets, 0)
        self.take_unread_snapshot()

    def _handle_lost_content(self) -> None:
        """Take note that what was read before is not there any more."""
        if self.catch_up_end is not None:
            self.catch_up_end = self.offset = 0  # so there is nothing to catch up with
        else:
            self._restart()

    def take_unread_snapshot(self) -> None:
        """Remember what is in a file of which nothing is read yet."""
        if self.offset == 0:
            self._unread_snapshot = UnreadSnapshot.read(self.descriptor)

    def _was_truncated(self) -> bool:
        """Whether what was glimpsed is no more, so that it went before it was read."""
        glimpsed, self._unread_snapshot = self._unread_snapshot, None
        return self.offset == 0 and glimpsed is not None and not glimpsed.is_intact(self.descriptor)

    def last_line_start(self, size: int) -> int:
        """Find where the line begins that is unfinished at `size`; `size` itself if none is."""
        low = max(0, size - BLOCK_SIZE)
        block = os.pread(self.descriptor, size - low, low)
        newline = block.rfind(b"\n")
        return low + newline + 1 if newline >= 0 or low == 0 else size

    @property
    def size(self) -> int:
        return os.fstat(self.descriptor).st_size

    @property
    def mtime_ns(self) -> int:
        """When it was written to last, in nanoseconds."""
        return os.fstat(self.descriptor).st_mtime_ns

    def mark_as_copy(self, read: int) -> None:
        """Pass over what was read of the file that this is a copy of, in whole lines."""
        self.seek(self.last_line_start(min(self.size, read)))
        self.is_copy = True

    def rewind(self) -> None:
        """Begin at the start after all, as this is no copy: it only began like another file."""
        self.seek(0)
        self.is_copy = False

    def skip_to_end(self) -> None:
        """Go behind all that this holds, as it was read elsewhere."""
        self.seek(self.size)
        self.is_unread = self.is_copy = False

    def verify_content(self) -> bool:
        """Whether the file still holds what was read of it."""
        here = Fingerprint.read(self.descriptor, self.offset)
        return here == self._fingerprint

    @property
    def is_deleted(self) -> bool:
        return os.fstat(self.descriptor).st_nlink == 0

    @property
    def is_caught_up(self) -> bool:
        """Whether all whole lines that are in the file were given away."""
        try:
            return self.size <= self.offset + self._scanned_without_newline
        except (OSError, UnreadableFileError):
            return True  # it is not to be had any more

    @property
    def is_catch_up_done(self) -> bool:
        """Whether this was a lane and has caught up."""
        return self.catch_up_end is not None and self.offset >= self.catch_up_end

    def read(self, buffer: bytearray) -> Chunk | None:
        """Read what comes next into the buffer; None when no whole line has come."""
        number = self.descriptor
        self._read_modified_ns = os.fstat(number).st_mtime_ns
        if self.catch_up_end is None and self._was_truncated():
            self._restart()
            return None
        while not self.is_catch_up_done and not self._is_line_unfinished(number):
            check = self._fingerprint.tail
            first = TAIL_SIZE - len(check)
            got = os.preadv(number, [memoryview(buffer)[first:]], self.offset - len(check))
            got -= len(check)
            if not self._verify_before(number, got, buffer[first:TAIL_SIZE]):
                self._handle_lost_content()
                return None
            if self.catch_up_end is not None:
                got = min(got, self.catch_up_end - self.offset)
            if got <= 0:
                return None
            start, end = TAIL_SIZE, TAIL_SIZE + got
            if self.offset == 0 and buffer.startswith(COMPRESSED_MAGIC, start):
                return None
            if self.only_nul and buffer[start] == 0:
                self._skip_nul(number, buffer, end)
                continue
            if self.skipping_line:
                newline = buffer.find(b"\n", start, end) + 1
                self.skipping_line = newline == 0
                self._consume(buffer, newline or end)
                continue
            if self.offset == 0 and buffer.startswith(BOM, start, end):
                start += len(BOM)
            base = self.offset - TAIL_SIZE
            cut = buffer.rfind(b"\n", start, end) + 1
            if cut:
                return Chunk(start, cut, base, is_line_head=False)
            if got == BLOCK_SIZE or (
                self.catch_up_end is not None and self.offset + got == self.catch_up_end
            ):
                return Chunk(start, end, base, is_line_head=True)
            self._scanned_without_newline = got
            return None
        return None

    def _verify_before(self, number: int, got: int, before: bytearray) -> bool:
        """Whether what was read is still there, in front of what comes; notes how old it is."""
        same = (
            got >= 0
            and before == self._fingerprint.tail
            and self._fingerprint.has_same_head(number)
        )
        if same and not self.only_nul:  # of NUL bytes nothing tells whether they are the same
            self.modified_ns = self._read_modified_ns
        return same

    @property
    def partial_line_len(self) -> int:
        """How many bytes of an unfinished line `read` met last, when it gave None."""
        return 0 if self.skipping_line else self._scanned_without_newline

    def read_partial_line(self, buffer: bytearray) -> Chunk | None:
        """Read the unfinished line at the offset, without going on behind it."""
        if self.skipping_line or self.catch_up_end is not None:
            return None
        got = os.preadv(self.descriptor, [memoryview(buffer)[TAIL_SIZE:]], self.offset)
        if got <= 0 or buffer.find(b"\n", TAIL_SIZE, TAIL_SIZE + got) >= 0:
            return None
        bom = self.offset == 0 and buffer.startswith(BOM, TAIL_SIZE, TAIL_SIZE + got)
        start = TAIL_SIZE + bom * len(BOM)
        return Chunk(start, TAIL_SIZE + got, self.offset - TAIL_SIZE, is_line_head=True)

    def advance(self, buffer: bytearray, piece: Chunk, end: int) -> None:
        """Take note that the piece was given away up to an index of the buffer."""
        self._consume(buffer, end)
        self.modified_ns = self._read_modified_ns
        self.skipping_line = piece.is_line_head
        self.only_nul = self.is_unread = self.is_copy = False

    def _consume(self, buffer: bytearray, end: int) -> None:
        self.offset += end - TAIL_SIZE
        self._fingerprint.advance(buffer, TAIL_SIZE, end)
        self._scanned_without_newline = 0

    def _is_line_unfinished(self, number: int) -> bool:
        """Look for the end of a long unfinished line in what is new only, not in all of it."""
        while self._scanned_without_newline >= _PROBE:
            new = os.pread(number, _PROBE, self.offset + self._scanned_without_newline)
            if not new:
                size = os.fstat(number).st_size
                if size == self.offset + self._scanned_without_newline:
                    return True
            self._scanned_without_newline += len(new)
            if not new or b"\n" in new or self._scanned_without_newline >= BLOCK_SIZE:
                self._scanned_without_newline = 0
        return False

    def _skip_nul(self, number: int, buffer: bytearray, end: int) -> None:
        """Pass over what a writer left out that went on at its old offset after a truncation."""
        try:
            data = os.lseek(number, self.offset, os.SEEK_DATA)
        except OSError:
            data = self.offset
        if data > self.offset:
            self.offset = data
            self._fingerprint = Fingerprint(
                bytes(min(data, HEAD_SIZE)), bytes(min(data, TAIL_SIZE))
            )
            return
        nul = end - TAIL_SIZE - len(bytes(memoryview(buffer)[TAIL_SIZE:end]).lstrip(b"\0"))
        self._consume(buffer, TAIL_SIZE + nul)
