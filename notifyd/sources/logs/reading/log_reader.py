"""Reads the lines of one open log file."""

import errno
import os
from collections.abc import Iterable
from dataclasses import replace
from enum import Enum
from typing import NamedTuple

from notifyd.sources.logs.checkpoint import TAIL_SIZE, Checkpoint, FileId, digest
from notifyd.sources.logs.discovery.access import UnreadableFileError
from notifyd.sources.logs.reading.buffer import (
    BLOCK_SIZE,
    BOM,
    COMPRESSED_MAGIC,
    Chunk,
    read_into,
)
from notifyd.sources.logs.reading.descriptor_pool import PooledFile
from notifyd.sources.logs.reading.identity import ContentIdentity
from notifyd.sources.logs.reading.line_ends import LineEndSearch, last_line_start
from notifyd.text.visible import LongLine

_BLOCKS_PER_READ = 16
"""Blocks that one read may skip before it lets other files have their turn."""


class ReadState(Enum):
    """What was delivered of a file.

    UNREAD: nothing, so it may turn out to be a copy of another file. COPY: nothing, and what is
    before the offset was read from another file. READ: lines, or they are not wanted.
    """

    UNREAD = "unread"
    COPY = "copy"
    READ = "read"


class RestStat(NamedTuple):
    """What a file was when it was read to its end. mtime_ns: its modification time."""

    size: int
    mtime_ns: int

    def may_be_rewritten(self, now: "RestStat") -> bool:
        """Whether only the time differs."""
        return self.size == now.size and self.mtime_ns != now.mtime_ns


class LogReader:
    """Reads one file by its descriptor, whatever its path is now.

    path: the configured path at which the file was found. offset: the end of what was delivered;
    it only grows, or returns to 0 when the content is lost. start_offsets: by trigger, from where
    on its lines count. catch_up_end: for a catch-up reader, where it ends. long_line: the line that
    the offset is in, if its beginning was read and its end is wanted. split_messages: the
    beginnings of messages that continue after the offset. copy_search_done: the
    file was deleted while it was open, so no copy contains more than it does. last_stat: its size
    and modification time when its path was last checked. rest: those after the last read, if that
    was to its end.

    Methods raise UnreadableFileError or OSError if the file has to be opened again and cannot be.
    """

    def __init__(self, file: PooledFile, key: FileId, path: str) -> None:
        self.file = file
        self.key = key
        self.path = path
        self.offset = 0
        self.start_offsets: dict[str, int] = {}
        self.catch_up_end: int | None = None
        self.long_line: LongLine | None = None
        self.split_messages: dict[str, LongLine] = {}
        self.state = ReadState.UNREAD
        self.copy_search_done = False
        self.last_stat: tuple[int, int] | None = None
        self.rest: RestStat | None = None
        self.last_checkpoint = Checkpoint(path, 0, "")
        self._identity = ContentIdentity(file)
        self._lost_checkpoint: Checkpoint | None = None
        self.is_interrupted = False
        self._skipping_line = False
        self._last_end: int | None = None
        self._line_end = LineEndSearch()

    # What is known about the file

    @property
    def descriptor(self) -> int:
        return self.file.descriptor

    @property
    def size(self) -> int:
        return os.fstat(self.descriptor).st_size

    @property
    def mtime_ns(self) -> int:
        return self._identity.mtime_ns

    @property
    def is_deleted(self) -> bool:
        return os.fstat(self.descriptor).st_nlink == 0

    @property
    def is_unread(self) -> bool:
        """Whether no line of the file was delivered."""
        return self.state is not ReadState.READ

    @property
    def is_copy(self) -> bool:
        """Whether what is before the offset was read from another file."""
        return self.state is ReadState.COPY

    @property
    def only_nul(self) -> bool:
        """Whether nothing but NUL bytes was read, if anything."""
        return self._identity.only_nul

    @property
    def inode_verified(self) -> bool:
        """Whether it is proved to be the file of a checkpoint, even if nothing was read of it."""
        return self._identity.inode_verified

    @property
    def is_caught_up(self) -> bool:
        """Whether all complete lines were delivered; also if the file is not accessible."""
        try:
            return self.size <= self.offset + self._line_end.searched
        except (OSError, UnreadableFileError):
            return True

    @property
    def is_catch_up_done(self) -> bool:
        """Whether this is a catch-up reader that has reached its end."""
        return self.catch_up_end is not None and self.offset >= self.catch_up_end

    def verify_content(self) -> bool:
        """Whether the file still contains what was read of it."""
        return self._identity.verify_content(self.offset)

    def holds_prefix(self, checkpoint: Checkpoint) -> bool:
        """Whether the file contains what was read up to a checkpoint, of it or of an original."""
        return self._identity.holds_prefix(checkpoint)

    def take_unread_snapshot(self) -> None:
        """Remember the content, if nothing was read, to notice if it is lost before it is read."""
        if self.offset == 0:
            self._identity.take_snapshot()

    def take_lost_checkpoint(self) -> Checkpoint | None:
        """Return, once, the last checkpoint of content that is lost; None if none is."""
        lost, self._lost_checkpoint = self._lost_checkpoint, None
        return lost

    # Checkpoints

    def take_checkpoint(self, wall: float) -> Checkpoint:
        """Return a checkpoint, and remember it as the last. A closed file is not opened."""
        identity, file = self._identity, self.file
        self.last_checkpoint = Checkpoint(
            self.path,
            self.offset,
            digest(identity.tail),
            skipping_line=self._skipping_line,
            only_nul=identity.only_nul,
            start_offsets=dict(self.start_offsets),
            catch_up_end=self.catch_up_end,
            last_seen=wall,
            modified_ns=identity.modified_ns,
            head_digest=identity.head_digest,
            content_since=identity.content_since,
            inode_generation=file.inode_generation,
            archived_path=file.current_path if file.pinned else "",
            is_copy=self.is_copy,
            copy_search_done=self.copy_search_done,
            tail_len=TAIL_SIZE,
            long_line=self.long_line,
            split_messages=dict(self.split_messages),
        )
        return self.last_checkpoint

    def restore(self, checkpoint: Checkpoint) -> bool:
        """Continue at the stored checkpoint of this file.

        Returns False if the file has another inode or other content. Then reading begins at the
        start, and the checkpoint is lost.
        """
        if self.resume_verified(checkpoint):
            self.path = checkpoint.path
            self.last_checkpoint = replace(checkpoint, copy_search_done=False)
            return True
        same_path = checkpoint.path == self.path
        self.start_offsets = dict.fromkeys(checkpoint.start_offsets if same_path else (), 0)
        self.last_checkpoint = Checkpoint(self.path, 0, "", modified_ns=checkpoint.modified_ns)
        self._lost_checkpoint = checkpoint
        return False

    def resume_verified(self, checkpoint: Checkpoint) -> bool:
        """Continue at a checkpoint of this very file, if it has the same inode and content."""
        if not self._identity.has_same_inode(checkpoint) or not self.resume(checkpoint):
            return False
        self._identity.verify_inode(checkpoint)
        if checkpoint.is_copy:
            self.state = ReadState.COPY
        return True

    def resume(self, checkpoint: Checkpoint) -> bool:
        """Continue at a checkpoint, if this file, or an original of it, has that content."""
        if not self._identity.resume(checkpoint):
            return False
        self.offset = checkpoint.offset
        in_line = not checkpoint.tail_digest and self._is_in_line
        self._skipping_line = checkpoint.skipping_line or in_line
        self.long_line = checkpoint.long_line if self._skipping_line else None
        self.split_messages = dict(checkpoint.split_messages)
        self.start_offsets = dict(checkpoint.start_offsets)
        self.catch_up_end = checkpoint.catch_up_end
        self.state = ReadState.UNREAD if self.offset == 0 else ReadState.READ
        return True

    # Moving the offset

    def seek(self, offset: int) -> None:
        """Continue at an offset. From within a line, continue with the next line."""
        self.offset = self._identity.seek(offset)
        self._skipping_line, self.long_line = self._is_in_line, None
        self.split_messages = {}

    @property
    def _is_in_line(self) -> bool:
        return self.offset > 0 and not self._identity.tail.endswith(b"\n")

    def rewind(self) -> None:
        """Read a file from the start that is not a copy: it only began like another file."""
        self.seek(0)
        if self.is_copy:
            self.state = ReadState.UNREAD

    def skip_to_end(self) -> None:
        """Deliver nothing of the present content, because it was read from another file."""
        self.seek(self.size)
        self.state = ReadState.READ

    def mark_as_copy(self, read: int) -> None:
        """Skip the complete lines that were read from the original, up to an offset."""
        self.seek(last_line_start(self.descriptor, min(self.size, read)))
        self.state = ReadState.COPY

    def begin_catch_up(self, trigger: str, start: int, end: int) -> None:
        """Read from an offset to another for one trigger only."""
        self.seek(start)
        self.start_offsets, self.catch_up_end = {trigger: self.offset}, end

    def share(self, triggers: Iterable[str]) -> None:
        """Deliver what follows the offset to further triggers."""
        self.start_offsets.update(dict.fromkeys(triggers, self.offset))

    def read_again(self) -> None:
        """Begin at the start, if the file still has what was read: it was written once more."""
        if self.catch_up_end is None and self.verify_content():
            self._restart()

    def mark_at_rest(self) -> None:
        """Record the file as it is, if it was read to its end."""
        status = os.fstat(self.descriptor)
        is_read = status.st_size == self.offset
        self.rest = RestStat(status.st_size, status.st_mtime_ns) if is_read else None

    def close(self) -> None:
        self.file.close()

    # Reading

    def read(self, buffer: bytearray) -> Chunk | None:
        """Read the next complete lines into a buffer.

        Returns None if there are none, if the content was lost, or, `is_interrupted`, after a
        while without a line.
        """
        self.is_interrupted = False
        descriptor, identity = self.descriptor, self._identity
        identity.begin_read(descriptor)
        if self.catch_up_end is None and identity.has_lost_snapshot(self.offset):
            self._restart()
            return None
        for _ in range(_BLOCKS_PER_READ):
            if not self._may_have_lines(descriptor):
                return None
            length = self._fill(descriptor, buffer)
            end = TAIL_SIZE + length
            if not length or (self.offset == 0 and buffer.startswith(COMPRESSED_MAGIC, TAIL_SIZE)):
                return None
            if buffer[TAIL_SIZE] == 0 and self._skip_hole(descriptor, length):
                pass
            elif identity.only_nul and buffer[TAIL_SIZE] == 0:
                self._skip_nul(buffer, end)
            elif self._is_skipping:
                newline = buffer.find(b"\n", TAIL_SIZE, end) + 1
                self._skipping_line = newline == 0
                self._consume(buffer, newline or end)
            else:
                return self._cut_chunk(buffer, end)
        self.is_interrupted = True
        return None

    def read_partial_line(self, buffer: bytearray) -> Chunk | None:
        """Read what follows the offset in an unfinished line; None if there is no such line.

        The offset does not move.
        """
        if self._is_skipping or self.catch_up_end is not None:
            return None
        length = read_into(buffer, TAIL_SIZE, self.descriptor, self.offset)
        end = TAIL_SIZE + length
        if length <= 0 or buffer.find(b"\n", TAIL_SIZE, end) >= 0:
            return None
        return Chunk(self._after_bom(buffer, end), end, self.offset - TAIL_SIZE, is_line_head=True)

    @property
    def partial_line_len(self) -> int:
        """How many bytes of an unfinished line there were when `read` last returned None."""
        return 0 if self._is_skipping else self._line_end.searched

    def has_grown(self) -> bool:
        """Whether the file, read to its end, is longer than when this was last asked."""
        end, before = self.offset + self._line_end.searched, self._last_end
        self._last_end = end
        return before is not None and end > before

    @property
    def line_start(self) -> int:
        """Where the line starts that the next chunk begins with or continues."""
        return self.offset if self.long_line is None else self.long_line.start

    @property
    def _is_skipping(self) -> bool:
        """Whether what follows, up to an LF, is the rest of a line that is not wanted."""
        return self._skipping_line and self.long_line is None

    def advance(
        self, buffer: bytearray, chunk: Chunk, end: int, long_line: LongLine | None = None
    ) -> None:
        """Record that the lines of a chunk were delivered up to an index of the buffer.

        long_line: the line that the chunk is a part of, if the rest of it is wanted.
        """
        self._consume(buffer, end)
        self.long_line = long_line
        self._identity.mark_delivered()
        self._skipping_line = chunk.is_line_head
        self.state = ReadState.READ

    def _may_have_lines(self, descriptor: int) -> bool:
        return not (self.is_catch_up_done or self._line_end.is_unfinished(descriptor, self.offset))

    def _fill(self, descriptor: int, buffer: bytearray) -> int:
        """Read a block behind what precedes it, and verify that; return the block's length."""
        tail_len = len(self._identity.tail)
        start = TAIL_SIZE - tail_len
        length = read_into(buffer, start, descriptor, self.offset - tail_len) - tail_len
        if length < 0 or not self._identity.verify_before(descriptor, buffer[start:TAIL_SIZE]):
            self._handle_lost_content()
            return 0
        return length if self.catch_up_end is None else min(length, self.catch_up_end - self.offset)

    def _cut_chunk(self, buffer: bytearray, end: int) -> Chunk | None:
        """Return the complete lines of a block, or all of it if no line ends in it and none can."""
        start, base = self._after_bom(buffer, end), self.offset - TAIL_SIZE
        if lines_end := buffer.rfind(b"\n", start, end) + 1:
            return Chunk(start, lines_end, base, is_line_head=False)
        length = end - TAIL_SIZE
        if length == BLOCK_SIZE or self.offset + length == self.catch_up_end:
            return Chunk(start, end, base, is_line_head=True)
        self._line_end.searched = length
        return None

    def _after_bom(self, buffer: bytearray, end: int) -> int:
        has_bom = self.offset == 0 and buffer.startswith(BOM, TAIL_SIZE, end)
        return TAIL_SIZE + len(BOM) if has_bom else TAIL_SIZE

    def _consume(self, buffer: bytearray, end: int) -> None:
        self.offset += end - TAIL_SIZE
        self._identity.advance(buffer, end)
        self._line_end.searched = 0

    def _skip_hole(self, descriptor: int, length: int) -> bool:
        """Skip a hole at the offset; return False if there is none that is worth it.

        A writer that keeps its offset after a truncation leaves one at the start. A shorter one
        elsewhere is a part of its line. length: of the block that was read.
        """
        if not self._identity.only_nul and length < BLOCK_SIZE:
            return False
        size = self.size  # of a moment before: what is written from now on is no hole
        try:
            data = os.lseek(descriptor, self.offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                return False
            data = size  # there is no data up to the end
        if self.catch_up_end is not None:
            data = min(data, self.catch_up_end)
        hole = data - self.offset
        if hole <= 0 or (hole < BLOCK_SIZE and not self._identity.only_nul):
            return False
        self.offset = data
        self._identity.skip_hole(hole)
        self._line_end.searched = 0
        return True

    def _skip_nul(self, buffer: bytearray, end: int) -> None:
        """Skip NUL bytes at the start of a file."""
        nul = end - TAIL_SIZE - len(bytes(memoryview(buffer)[TAIL_SIZE:end]).lstrip(b"\0"))
        self._consume(buffer, TAIL_SIZE + nul)

    def _handle_lost_content(self) -> None:
        """Record that what was read is no longer in the file."""
        if self.catch_up_end is not None:
            self.catch_up_end = self.offset = 0  # there is nothing to catch up with
        else:
            self._restart()

    def _restart(self) -> None:
        """Begin at the start of other content: the file was truncated, or overwritten."""
        lost = self.take_checkpoint(self.last_checkpoint.last_seen)
        head = self._identity.head
        self._lost_checkpoint = replace(lost, truncated_at=self.mtime_ns, head_bytes=head)
        self._identity.reset()
        self.offset = self._line_end.searched = 0
        self._skipping_line, self.state, self.long_line = False, ReadState.UNREAD, None
        self.split_messages = {}
        self.start_offsets = dict.fromkeys(self.start_offsets, 0)
        self.take_unread_snapshot()
