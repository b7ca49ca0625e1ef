"""Whether an open file is still the same file, with the content that was read."""

import os
from typing import NamedTuple, Self

from notifyd.sources.logs.checkpoint import TAIL_SIZE, Checkpoint
from notifyd.sources.logs.reading.descriptor_pool import PooledFile
from notifyd.sources.logs.reading.fingerprint import Fingerprint


class UnreadSnapshot(NamedTuple):
    """What was in a file before any of it was read. fingerprint: at `size`."""

    size: int
    fingerprint: Fingerprint

    @classmethod
    def read(cls, descriptor: int) -> Self | None:
        """Look at a file; None if it is empty."""
        size = os.fstat(descriptor).st_size
        return cls(size, Fingerprint.read(descriptor, size)) if size else None

    def is_intact(self, descriptor: int) -> bool:
        return Fingerprint.read(descriptor, self.size) == self.fingerprint


class ContentIdentity:
    """The fingerprint at the offset up to which a file was read, and the age of its content.

    modified_ns: the modification time of the file when its content was last verified.
    content_since: when its present content began, in nanoseconds, as far as that is known.
    only_nul: whether nothing but NUL bytes was read, if anything.
    inode_verified: whether the generation of the inode proved that the file is the one of a
    checkpoint.
    """

    def __init__(self, file: PooledFile) -> None:
        self._file = file
        self._fingerprint = Fingerprint()
        self._snapshot: UnreadSnapshot | None = None
        self.modified_ns = self.mtime_ns
        self._read_mtime_ns = self.modified_ns
        self.content_since = self.modified_ns
        self.only_nul = True
        self.inode_verified = False

    @property
    def mtime_ns(self) -> int:
        """The modification time of the file."""
        return os.fstat(self._file.descriptor).st_mtime_ns

    @property
    def tail(self) -> bytes:
        """The bytes before the offset."""
        return self._fingerprint.tail

    @property
    def head(self) -> bytes:
        """The first bytes of what was read."""
        return self._fingerprint.head

    @property
    def head_digest(self) -> str:
        return self._fingerprint.head_digest

    def has_same_inode(self, checkpoint: Checkpoint) -> bool:
        """Whether the file has the inode of a checkpoint, not just its number, if that is known."""
        generations = checkpoint.inode_generation, self._file.inode_generation
        return not all(generations) or generations[0] == generations[1]

    def verify_inode(self, checkpoint: Checkpoint) -> None:
        """Record that the file is the one of a checkpoint. `has_same_inode` must be true."""
        self.inode_verified = bool(checkpoint.inode_generation and self._file.inode_generation)
        self.content_since = checkpoint.content_since

    def holds_prefix(self, checkpoint: Checkpoint) -> bool:
        """Whether the file contains what was read up to a checkpoint, of it or of an original."""
        return Fingerprint.read(self._file.descriptor, checkpoint.offset).matches(checkpoint)

    def resume(self, checkpoint: Checkpoint) -> bool:
        """Move to the offset of a checkpoint if the file contains what was read up to it."""
        fingerprint = Fingerprint.read(self._file.descriptor, checkpoint.offset)
        if not fingerprint.matches(checkpoint):
            return False
        self._fingerprint, self.only_nul = fingerprint, checkpoint.only_nul
        return True

    def seek(self, offset: int) -> int:
        """Move to an offset, or to 0 if the file is shorter; return which."""
        fingerprint = Fingerprint.read(self._file.descriptor, offset)
        if len(fingerprint.tail) < min(offset, TAIL_SIZE):
            offset, fingerprint = 0, Fingerprint()
        self._fingerprint, self.only_nul = fingerprint, offset == 0
        return offset

    def reset(self) -> None:
        """Move to the start of other content in the same file."""
        self.modified_ns = self.content_since = self.mtime_ns
        self._fingerprint = Fingerprint()
        self.only_nul = True

    def advance(self, buffer: bytearray, end: int) -> None:
        """Move over the bytes of a buffer from TAIL_SIZE to `end`."""
        self._fingerprint.advance(buffer, TAIL_SIZE, end)

    def skip_hole(self, length: int) -> None:
        """Move over a hole, which contains only NUL bytes."""
        self._fingerprint.advance_over_hole(length)

    def verify_content(self, offset: int) -> bool:
        """Whether the file still contains what was read up to the offset."""
        return Fingerprint.read(self._file.descriptor, offset) == self._fingerprint

    def begin_read(self, descriptor: int) -> None:
        """Record the modification time, before anything is read."""
        self._read_mtime_ns = os.fstat(descriptor).st_mtime_ns

    def verify_before(self, descriptor: int, before: bytearray) -> bool:
        """Whether what was read precedes what comes next. before: the bytes just before it."""
        is_same = before == self._fingerprint.tail and self._fingerprint.has_same_head(descriptor)
        if is_same and not self.only_nul:  # other NUL bytes look the same
            self.modified_ns = self._read_mtime_ns
        return is_same

    def mark_delivered(self) -> None:
        """Record that lines up to the offset were delivered, as of the last read."""
        self.modified_ns = self._read_mtime_ns
        self.only_nul = False

    def take_snapshot(self) -> None:
        """Remember the content of an unread file."""
        self._snapshot = UnreadSnapshot.read(self._file.descriptor)

    def has_lost_snapshot(self, offset: int) -> bool:
        """Whether unread content was lost. The snapshot is discarded."""
        snapshot, self._snapshot = self._snapshot, None
        if snapshot is None or offset > 0:
            return False
        return not snapshot.is_intact(self._file.descriptor)
