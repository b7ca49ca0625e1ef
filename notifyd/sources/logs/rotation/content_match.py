"""Decides by names, content and times which file a rotated file is a copy of.

The original of a copy is the log from which it was made. Content is lost when the file that had it
was truncated, replaced or deleted; its last checkpoint says how much of it was read.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Final

from notifyd.sources.logs.checkpoint import Checkpoint, FileId
from notifyd.sources.logs.discovery.access import UnreadableFileError
from notifyd.sources.logs.discovery.rotated_files import (
    original_names,
    possible_names,
    rotated_file_at,
)
from notifyd.sources.logs.reading.fingerprint import HEAD_SIZE
from notifyd.sources.logs.reading.log_reader import LogReader
from notifyd.sources.logs.reading.reader_set import DRAIN_SECONDS, ReaderSet

_COMPARED_SIZE: Final = 64 << 10
"""How many bytes are compared at either end of a copy."""

PossibleOriginal = tuple[FileId | None, Checkpoint]
"""The last checkpoint of a file, or of recently lost content, which has no file."""


class RecentGenerations:
    """Checkpoints of content that was lost in the last DRAIN_SECONDS: its copy may appear later."""

    def __init__(self, readers: ReaderSet) -> None:
        self._readers = readers
        self._expiries: deque[tuple[float, str]] = deque()
        self._by_directory: dict[str, deque[Checkpoint]] = {}

    def add(self, lost: Iterable[Checkpoint]) -> None:
        """Add checkpoints, and remove those that have expired."""
        while self._expiries and self._expiries[0][0] <= self._readers.now:
            _, directory = self._expiries.popleft()
            self._by_directory[directory].popleft()
            if not self._by_directory[directory]:
                del self._by_directory[directory]
        for checkpoint in lost:
            directory = os.path.dirname(checkpoint.path)  # noqa: PTH120 - strings throughout
            self._by_directory.setdefault(directory, deque()).append(checkpoint)
            self._expiries.append((self._readers.now + DRAIN_SECONDS, directory))

    def possible_originals(self, path: str) -> Iterator[Checkpoint]:
        """Iterate over the lost content that a file at this path may be a copy of.

        A directory that contains the log itself contains no copies of another log.
        """
        directory, name = os.path.split(path)
        log_names = original_names(name)
        is_log_path = self._readers.registry.is_log_path
        has_log = any(is_log_path(f"{directory}/{log_name}") for log_name in log_names)
        search_all = log_names and not has_log
        for each in list(self._by_directory) if search_all else [directory]:
            for checkpoint in self._by_directory.get(each, ()):
                has_log_name = not log_names.isdisjoint(possible_names(checkpoint.path))
                if has_log_name and self._readers.may_be_same_log(checkpoint.path, directory):
                    yield checkpoint


class ContentMatcher:
    """Compares a rotated file with its possible originals.

    recent_generations: the content that was lost recently. Methods that read a file may raise
    UnreadableFileError or OSError.
    """

    def __init__(self, readers: ReaderSet) -> None:
        self._readers = readers
        self.recent_generations = RecentGenerations(readers)

    def possible_originals(self, copy: LogReader) -> list[PossibleOriginal]:
        """List the files that a file may be a copy of, the one that was read most first.

        Other copies are left out, and deleted files whose copies were searched for.
        """
        originals = [
            (key, checkpoint)
            for key, checkpoint in self._related(copy)
            if not (
                checkpoint.is_copy
                or self._was_searched_for(key, checkpoint)
                or (key is not None and self._readers.is_withheld(key))
            )
        ]
        return sorted(originals, key=lambda each: each[1].offset, reverse=True)

    def find_original(self, copy: LogReader, *, include_unread: bool = True) -> int | None:
        """Return how far the original of a copy was read; None if no intact one is found.

        include_unread: whether an unread rotated file may be the original. If it may, two unread
        rotated files can be withheld for each other.
        """
        for key, checkpoint in self.possible_originals(copy):
            if key is None or (not include_unread and self._is_unread_rotated(key)):
                continue
            with self._open_intact(key, checkpoint) as original:
                if original is not None and is_prefix(copy, original):
                    return original.offset
        return None

    def has_original(self, copy: LogReader) -> bool:
        """Whether a log or a rotated file that was read is intact and begins with this file."""
        return self.find_original(copy, include_unread=False) is not None

    def resume_copy(self, copy: LogReader, lost: list[Checkpoint]) -> bool:
        """Continue a copy of lost content where that was read to; return whether it is one.

        Of all possible originals, the one that was read most is taken to be the original.
        """
        read = copy.offset if copy.is_copy else 0
        if not lost or (copy.is_copy and is_outdated(copy, lost)):
            return False
        candidates = [(checkpoint, True) for checkpoint in lost]
        candidates += [
            (checkpoint, False)
            for _, checkpoint in self._related(copy)
            if not (checkpoint.is_copy or checkpoint in lost)
        ]
        candidates.sort(key=lambda each: (each[0].offset, each[1]), reverse=True)
        for checkpoint, is_lost in candidates:
            if not checkpoint.tail_digest or checkpoint.offset < read:
                continue
            if copy.holds_prefix(checkpoint):
                # A copy that is older than the lost content has nothing that was not read.
                is_newer = copy.mtime_ns >= checkpoint.modified_ns
                return is_lost and is_newer and copy.resume(checkpoint)
        return False

    def is_fully_read(self, copy: LogReader) -> bool:
        """Whether the content proves that all of a copy was read from its original."""
        size = copy.size
        return any(
            _is_part_of_truncated(copy, checkpoint)
            or (
                checkpoint.tail_digest
                and checkpoint.offset == size
                and copy.holds_prefix(checkpoint)
            )
            for _, checkpoint in self._related(copy)
            if not checkpoint.is_copy
        )

    def is_intact(self, key: FileId, checkpoint: Checkpoint) -> bool:
        """Whether a file, open or closed, still contains what was read of it."""
        with self._open_intact(key, checkpoint) as reader:
            return reader is not None

    def _related(self, copy: LogReader) -> Iterator[PossibleOriginal]:
        """Iterate over all files and lost content of the logs that a file may be rotated from."""
        for checkpoint in self.recent_generations.possible_originals(copy.file.path):
            yield None, checkpoint
        for key, checkpoint in self._readers.possible_originals(copy.file.path):
            if key != copy.key:
                yield key, checkpoint

    def _was_searched_for(self, key: FileId | None, checkpoint: Checkpoint) -> bool:
        """Whether the copies of a deleted file were searched for; it may still be open."""
        return checkpoint.copy_search_done and (key is None or key not in self._readers)

    def _is_unread_rotated(self, key: FileId) -> bool:
        reader = self._readers.get(key)
        if reader is None or not reader.is_unread:
            return False
        return bool(original_names(os.path.basename(reader.file.path)))  # noqa: PTH119 - as above

    @contextmanager
    def _open_intact(self, key: FileId, checkpoint: Checkpoint) -> Iterator[LogReader | None]:
        """Open a file at its checkpoint, if it still contains what was read of it."""
        with ExitStack() as stack:
            reader = None
            with suppress(UnreadableFileError, OSError):
                reader = self._find_intact(key, checkpoint, stack)
            yield reader

    def _find_intact(
        self, key: FileId, checkpoint: Checkpoint, stack: ExitStack
    ) -> LogReader | None:
        if (reader := self._readers.get(key)) is not None:
            return reader if reader.verify_content() else None
        found = rotated_file_at(checkpoint.archived_path or checkpoint.path, key)
        if found is None:
            return None
        detached = stack.enter_context(closing(self._readers.open_detached(found)))
        return detached if detached.resume_verified(checkpoint) else None


def is_intact(reader: LogReader) -> bool | None:
    """Whether an open file still contains what was read of it; None if it is not accessible."""
    try:
        return reader.verify_content()
    except (OSError, UnreadableFileError):
        return None


def is_prefix(copy: LogReader, original: LogReader) -> bool:
    """Whether another file begins with all of a file, which has at least one complete line.

    Less than a line proves nothing: many lines begin alike.
    """
    size = copy.size
    if not 0 < size <= original.size:
        return False
    low = max(0, size - _COMPARED_SIZE)
    first, last = (os.pread(copy.descriptor, _COMPARED_SIZE, at) for at in (0, low))
    return (
        b"\n" in first + last
        and first == os.pread(original.descriptor, len(first), 0)
        and last == os.pread(original.descriptor, size - low, low)
    )


def is_outdated(copy: LogReader, lost: Iterable[Checkpoint]) -> bool:
    """Whether a copy is not larger and not newer than what was read of lost content."""
    size = copy.size
    return any(
        size <= checkpoint.offset and copy.mtime_ns <= checkpoint.modified_ns for checkpoint in lost
    )


def _is_part_of_truncated(copy: LogReader, checkpoint: Checkpoint) -> bool:
    """Whether a file is a copy of the beginning of what a truncated file contained."""
    size = copy.size
    was_made_between = checkpoint.content_since <= copy.mtime_ns <= checkpoint.truncated_at
    if not was_made_between or size > checkpoint.offset:
        return False
    head = os.pread(copy.descriptor, HEAD_SIZE, 0)
    return b"\n" in head and checkpoint.head_bytes.startswith(head)
