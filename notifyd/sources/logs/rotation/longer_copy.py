"""Recognizes a log that was replaced by a longer copy of itself, as rsync and editors do."""

import os
from contextlib import suppress

from notifyd.sources.logs.checkpoint import Checkpoint, FileId
from notifyd.sources.logs.discovery.access import UnreadableFileError
from notifyd.sources.logs.discovery.rotated_files import find_renamed, possible_names
from notifyd.sources.logs.reading.buffer import BLOCK_SIZE
from notifyd.sources.logs.reading.log_reader import LogReader
from notifyd.sources.logs.reading.reader_set import ReaderSet
from notifyd.sources.logs.rotation.content_match import is_prefix


def resume_longer_copy(readers: ReaderSet, copy: LogReader, lost: Checkpoint | None) -> bool:
    """Continue a log where the file that had its path before was read to.

    copy: the reader of the file that has the path now, as it was opened. lost: the
    checkpoint of an earlier file with the same inode number, if there is one. The new file must
    begin with the content of the earlier one and be strictly longer. One of equal length is a
    rewrite, and an earlier file that rotation renamed is another generation.

    Returns whether the log continues.
    """
    with suppress(UnreadableFileError, OSError):
        earlier = [
            (key, checkpoint)
            for key, checkpoint in [(copy.key, lost), *readers.known_files(copy.path)]
            if checkpoint is not None and (key != copy.key or checkpoint is lost)
            if checkpoint.path == copy.path and not key.catch_up_trigger
            if checkpoint.offset > copy.offset  # else its inode number was used before
        ]
        for key, checkpoint in sorted(earlier, key=lambda each: each[1].offset, reverse=True):
            if not _continues(copy, checkpoint):
                continue
            if checkpoint is lost or _replaces(readers, copy, key, checkpoint):
                return copy.resume(checkpoint)
    return False


def _continues(copy: LogReader, checkpoint: Checkpoint) -> bool:
    """Whether a file holds what was read up to a checkpoint, and more.

    One line alone proves nothing: many programs begin each of their logs with the same banner.
    """
    if not checkpoint.tail_digest or checkpoint.is_copy or checkpoint.path != copy.path:
        return False
    if copy.size <= checkpoint.offset or not copy.holds_prefix(checkpoint):
        return False
    start = max(0, checkpoint.offset - BLOCK_SIZE)
    return os.pread(copy.descriptor, checkpoint.offset - start, start).count(b"\n") > 1


def _replaces(readers: ReaderSet, copy: LogReader, key: FileId, checkpoint: Checkpoint) -> bool:
    """Whether a file took the place of an earlier one, which is read no further."""
    original = readers.get(key)
    if original is None:
        renamed = find_renamed({key: checkpoint}, readers.archive_dirs)
        if any(_is_rotated_name(found.path, copy.path) for found in renamed):
            return False
        readers.registry.forget(key)
        return True
    was_rotated = not original.is_deleted and _is_rotated_name(
        original.file.current_path, original.path
    )
    if was_rotated or copy.size <= original.size or not is_prefix(original, copy):
        return False
    original.seek(original.size)  # the copy holds all of it; a writer may still append
    readers.save_checkpoint(original, urgent=True)
    return True


def _is_rotated_name(path: str, log: str) -> bool:
    """Whether rotation gives a log this name, unlike an editor to its backup."""
    return os.path.basename(log) in possible_names(path)  # noqa: PTH119 - strings throughout
