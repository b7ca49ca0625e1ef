"""Handles copies of logs, as copytruncate makes them, so that no line is delivered twice."""

from collections.abc import Callable
from contextlib import closing, suppress

from notifyd.sources.logs.checkpoint import Checkpoint, FileId
from notifyd.sources.logs.discovery.access import UnreadableFileError
from notifyd.sources.logs.discovery.rotated_files import RotatedFile
from notifyd.sources.logs.reading.log_reader import LogReader
from notifyd.sources.logs.reading.reader_set import ReaderSet
from notifyd.sources.logs.rotation.content_match import (
    ContentMatcher,
    is_intact,
    is_outdated,
    is_prefix,
)


class CopyTracker:
    """Withholds a copy while its original is intact, and then reads what was not read of that."""

    def __init__(self, readers: ReaderSet, matcher: ContentMatcher) -> None:
        self._readers, self._matcher = readers, matcher
        self.comparisons = 0
        """How many files unread files were compared with so far."""

    def withhold_if_copy(self, reader: LogReader) -> bool:
        """Withhold an unread file while it is a copy; return whether it is withheld.

        A copy whose original is lost continues where that was read to.
        """
        if not reader.is_unread or reader.key.catch_up_trigger:
            return False
        lost, withheld_for = [], self._readers.withheld_original(reader.key)
        originals = self._matcher.possible_originals(reader)
        self.comparisons += len(originals)
        for key, checkpoint in originals:
            original = None if key is None else self._readers.get(key)
            intact = None if original is None else is_intact(original)
            if key is None or original is None or intact is None:
                lost.append(checkpoint)
            elif not intact:
                # When the original is read, it is found to be truncated, and its copies are read.
                self._readers.withhold_until_checked(reader.key, key)
                return True
            elif is_prefix(reader, original):
                self._readers.withhold(reader, original)
                return True
        if not self._resume(reader, lost):
            original = None if withheld_for is None else self._readers.get(withheld_for)
            self._end_withholding(reader, original)
        return False

    def _end_withholding(self, reader: LogReader, original: LogReader | None) -> None:
        """Choose where to read a file from that is not, or no longer, withheld.

        original: the file for which it was withheld, if that is open. A file that began like it
        and has other lines now is not a copy, and is read from its start.
        """
        if self._matcher.is_fully_read(reader):
            self._skip(reader)
        elif reader.is_copy and original is not None and is_intact(original):
            if is_prefix(reader, original):
                self._skip(reader)
            elif not original.is_unread:
                self._readers.stop_withholding(reader.key)
                reader.rewind()

    def resume_copies(self, original: FileId, lost: Checkpoint) -> None:
        """Continue the withheld copies of a file where it was read to when its content was lost."""
        for key, withheld_for in self._readers.withheld_copies():
            if withheld_for != original:
                continue
            copy = self._readers[key]
            with suppress(UnreadableFileError, OSError):
                has_resumed = self._resume(copy, [lost])
                if not has_resumed and copy.is_copy and copy.size <= lost.offset:
                    self._skip(copy)  # it lacks the last lines of its original

    def recheck_copies(self, of_original: Callable[[FileId], bool]) -> None:
        """Stop withholding the copies of some originals, and schedule them to be checked again."""
        for key, original in self._readers.withheld_copies():
            if of_original(original):
                self._readers.stop_withholding(key)
                self._readers.queue.schedule(key)

    def resume_known_copy(self, found: RotatedFile, lost: list[Checkpoint]) -> bool:
        """Continue a file that is known to be a copy, if its original is lost.

        Returns whether it is a copy of one of these checkpoints.
        """
        reader, stored = self._readers.get(found.key), self._readers.registry.get(found.key)
        with suppress(UnreadableFileError, OSError):
            if reader is not None and reader.is_unread:
                return self._resume_open_copy(reader, lost)
            if reader is None and stored is not None and stored.is_copy:
                return self._resume_closed_copy(found, stored, lost)
        return False

    def _resume_open_copy(self, reader: LogReader, lost: list[Checkpoint]) -> bool:
        if self._matcher.has_original(reader):
            return False
        if self._resume(reader, lost):
            return True
        if reader.is_copy and is_outdated(reader, lost):
            self._skip(reader)
        return False

    def _resume_closed_copy(
        self, found: RotatedFile, stored: Checkpoint, lost: list[Checkpoint]
    ) -> bool:
        with closing(self._readers.open_detached(found)) as copy:
            copy.path = stored.path
            if self._matcher.has_original(copy) or not copy.resume_verified(stored):
                return False
            if self._matcher.resume_copy(copy, lost):
                return self._resume(self._readers.open_rotated(found), lost)
            if is_outdated(copy, lost):
                copy.skip_to_end()
                checkpoint = copy.take_checkpoint(self._readers.wall)
                self._readers.registry.store_closed(found.key, checkpoint)
        return False

    def _resume(self, reader: LogReader, lost: list[Checkpoint]) -> bool:
        """Continue a copy of lost content where that was read to; return whether it is one."""
        before = reader.start_offsets
        if not self._matcher.resume_copy(reader, lost):
            return False
        self._readers.stop_withholding(reader.key)
        # Triggers that did not have the original have all of the copy.
        for trigger in before.keys() - reader.start_offsets.keys():
            self._readers.add_catch_up_reader(reader, trigger, before[trigger])
            reader.start_offsets[trigger] = reader.offset
        self._readers.queue.schedule(reader.key)
        self._readers.save_checkpoint(reader, urgent=True)
        return True

    def _skip(self, reader: LogReader) -> None:
        """Deliver nothing of a file's present content."""
        reader.skip_to_end()
        self._readers.save_checkpoint(reader, urgent=True)
