"""Which files are like which: by their names, and by what they hold."""

import os
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from typing import Final

from notifyd.sources.logs.checkpoint import Checkpoint, FileId
from notifyd.sources.logs.discovery.access import UnreadableFileError
from notifyd.sources.logs.discovery.rotated_files import original_names, rotated_file_at
from notifyd.sources.logs.reading.fingerprint import HEAD_SIZE
from notifyd.sources.logs.reading.log_reader import LogReader
from notifyd.sources.logs.reading.reader_set import ReaderSet
from notifyd.sources.logs.rotation.recent_generations import RecentGenerations

_ALIKE: Final = 64 << 10
"""How many bytes are compared at either end of a copy."""

Known = tuple[FileId | None, Checkpoint]
"""A file as it was last noted; without a key if it is no more, as another has its number."""


class ContentMatcher:
    """Compares a rotated file with the files that it may be a copy of."""

    def __init__(self, tails: ReaderSet) -> None:
        self._tails, self.ghosts = tails, RecentGenerations(tails)

    def is_whole(self, key: FileId, position: Checkpoint) -> bool:
        """Whether a file that is remembered still holds what was read of it."""
        return any(True for _ in self._whole(key, position))

    def originals(self, tail: LogReader) -> list[Known]:
        """List the files that a file may be a rotated copy of, first what was read most of.

        For a copy may begin like another copy too, of which nothing was read.
        """
        known = [
            (key, position)
            for key, position in self.relatives(tail)
            if not (
                position.is_copy
                or self._was_sought(key, position)
                or (key is not None and self._tails.is_withheld(key))
            )
        ]
        return sorted(known, key=lambda each: each[1].offset, reverse=True)

    def relatives(self, tail: LogReader) -> Iterator[Known]:
        """Go through the files of the log that a file was rotated from, by its name and theirs.

        Of what is no more, as another file has its number, there is only the position.
        """
        yield from ((None, position) for position in self.ghosts.of(tail.file.path))
        for key, position in self._tails.possible_originals(tail.file.path):
            if key != tail.key:
                yield key, position

    def _was_sought(self, key: FileId | None, position: Checkpoint) -> bool:
        """Whether a file is no more for good; one that is deleted may still be open."""
        return position.copy_search_done and (key is None or key not in self._tails)

    def is_held(self, copy: LogReader) -> bool:
        """Whether another file of the same log is whole and begins with all of this one.

        Of two rotated files of which nothing was read neither holds the other up.
        """
        return self.original(copy, unread=False) is not None

    def follow(self, copy: LogReader, gone: list[Checkpoint]) -> bool:
        """Have a copy go on where the file was left that it has most of, if that is gone.

        What was read elsewhere of what is known as a copy stays so.
        """
        read = copy.offset if copy.is_copy else 0
        if copy.is_copy and outlasted(copy, gone):
            return False
        known = [(position, True) for position in gone]
        for _, position in self.relatives(copy) if gone else ():
            if not (position.is_copy or position in gone):
                known.append((position, False))
        known.sort(key=lambda each: (each[0].offset, each[1]), reverse=True)
        for position, is_gone in known:
            if position.tail_digest and position.offset >= read and copy.holds_prefix(position):
                return is_gone and may_hold_more(copy, position) and copy.resume(position)
        return False

    def is_spent(self, copy: LogReader) -> bool:
        """Whether a file holds nothing but what was read of another, which is no more."""
        size = copy.size
        return any(
            is_part(copy, position)
            or (position.tail_digest and position.offset == size and copy.holds_prefix(position))
            for _, position in self.relatives(copy)
            if not position.is_copy
        )

    def original(self, copy: LogReader, *, unread: bool = True) -> int | None:
        """Tell how far the file was read that this is a copy of, if it is whole.

        unread: also if nothing was read yet of that one, and it is a rotated one.
        """
        for key, position in self.originals(copy):
            other = None if key is None else self._tails.get(key)
            if (
                not unread
                and other is not None
                and other.is_unread
                and original_names(name_of(other))
            ):
                continue
            for original in self._whole(key, position) if key is not None else ():
                if begins(copy, original):
                    return original.offset
        return None

    def _whole(self, key: FileId, position: Checkpoint) -> Iterator[LogReader]:
        """Give a file that still holds what was read of it, at the end of that."""
        with suppress(UnreadableFileError, OSError):
            if (tail := self._tails.get(key)) is not None:
                if tail.verify_content():
                    yield tail
            elif found := rotated_file_at(position.archived_path or position.path, key):
                with closing(self._tails.open_detached(found)) as tail:
                    if tail.resume_verified(position):
                        yield tail


def begins(copy: LogReader, original: LogReader) -> bool:
    """Whether all of a file is what another, which is whole, begins with.

    A part of a first line tells nothing: many lines begin alike.
    """
    size = copy.size
    if not 0 < size <= original.size:
        return False
    low = max(0, size - _ALIKE)
    first, last = (os.pread(copy.descriptor, _ALIKE, at) for at in (0, low))
    return (
        b"\n" in first + last
        and first == os.pread(original.descriptor, len(first), 0)
        and last == os.pread(original.descriptor, size - low, low)
    )


def is_part(copy: LogReader, position: Checkpoint) -> bool:
    """Whether a file is a copy of what one held that was truncated, up to some line."""
    size = copy.size
    if not (
        position.content_since <= copy.mtime_ns <= position.truncated_at and size <= position.offset
    ):
        return False
    first = os.pread(copy.descriptor, HEAD_SIZE, 0)
    return b"\n" in first and position.head_bytes.startswith(first)


def name_of(tail: LogReader) -> str:
    return os.path.basename(tail.file.path)  # noqa: PTH119 - strings throughout


def may_hold_more(copy: LogReader, position: Checkpoint) -> bool:
    """Whether a copy may hold what was not read of its original: it is no older than that was."""
    return copy.mtime_ns >= position.modified_ns


def outlasted(copy: LogReader, gone: Iterable[Checkpoint]) -> bool:
    """Whether more was read of a file that is gone, and later, than a copy holds."""
    size = copy.size
    return any(
        size <= position.offset and copy.mtime_ns <= position.modified_ns for position in gone
    )


def holds_nothing_new(copy: LogReader, gone: Iterable[Checkpoint]) -> bool:
    """Whether a copy is shorter than what was read of its original, which is gone."""
    return any(copy.size <= position.offset for position in gone)


def whole(tail: LogReader) -> bool | None:
    """Whether a file still holds what was read of it; None if it cannot be had."""
    try:
        return tail.verify_content()
    except (OSError, UnreadableFileError):
        return None
