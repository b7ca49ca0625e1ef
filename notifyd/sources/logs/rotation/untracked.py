"""Reads rotated files of a log that were missed while nothing watched the log."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from notifyd.sources.logs.checkpoint import Checkpoint
from notifyd.sources.logs.discovery.access import UnreadableFileError
from notifyd.sources.logs.discovery.path_scanner import PathScanner
from notifyd.sources.logs.discovery.rotated_files import RotatedFile
from notifyd.sources.logs.reading.log_reader import LogReader
from notifyd.sources.logs.reading.reader_set import ReaderSet
from notifyd.sources.logs.rotation.content_match import ContentMatcher
from notifyd.sources.logs.rotation.copytruncate import CopyTracker


class UntrackedFiles:
    """Rotated files without a checkpoint.

    Such a file is a copy of something that was read, a generation that was missed, or older than
    all that was read. The last is never read.
    """

    def __init__(
        self,
        readers: ReaderSet,
        scanner: PathScanner,
        matcher: ContentMatcher,
        copies: CopyTracker,
    ) -> None:
        self._readers, self._scanner = readers, scanner
        self._matcher, self._copies = matcher, copies

    def adopt(
        self,
        log: str,
        rotated: list[RotatedFile],
        lost: list[Checkpoint],
        latest: Checkpoint,
        *,
        may_have_missed: bool,
    ) -> bool:
        """Read what was not read of a log's rotated files; return whether one is a copy.

        lost: checkpoints of lost content. A copy of it continues where it was read to; of several
        copies, the largest does. latest: the last checkpoint of the log. A file that was written
        to later and is not a copy is a missed generation. It is read if there is a copy, or if
        may_have_missed.
        """
        untracked, has_copy = [], False
        for found in rotated:
            if self._readers.recognize(found):
                self._readers.registry.set_archived_path(found.key, found.path)
                has_copy |= self._copies.resume_known_copy(found, lost)
                if may_have_missed and found.status.st_mtime_ns >= latest.modified_ns:
                    self._add_missing_triggers(found, latest)
            else:
                untracked.append(found)
        untracked.sort(key=lambda found: found.status.st_size, reverse=True)
        for found in untracked:
            with suppress(UnreadableFileError, OSError):
                has_copy |= self._adopt_copy(found, log, lost, latest)
        for found in untracked:
            if found.key not in self._readers and found.key not in self._readers.registry:
                with suppress(UnreadableFileError, OSError):
                    is_wanted = may_have_missed or has_copy
                    self._adopt_generation(found, log, latest, is_wanted=is_wanted)
        return has_copy

    def _adopt_copy(
        self, found: RotatedFile, log: str, lost: list[Checkpoint], latest: Checkpoint
    ) -> bool:
        """Continue a copy of lost content where that was read to; return whether it is one."""
        with self._open(found, log) as reader:
            if not self._matcher.resume_copy(reader, lost) or self._store_if_read(reader, latest):
                return False
            self._readers.add_rotated(reader)
            return True

    def _adopt_generation(
        self, found: RotatedFile, log: str, latest: Checkpoint, *, is_wanted: bool
    ) -> None:
        """Read a file from its start if it is later than the last checkpoint, and no copy."""
        is_later = found.status.st_mtime_ns >= latest.modified_ns
        with self._open(found, log) as reader:
            if is_later and self._store_if_read(reader, latest):
                return
            reader.start_offsets = dict.fromkeys(self._triggers_without(found, latest), 0)
            if reader.start_offsets and not is_later:
                reader.skip_to_end()
                self._store(reader)
            elif reader.start_offsets and is_wanted:
                self._readers.add_rotated(reader)

    @contextmanager
    def _open(self, found: RotatedFile, log: str) -> Iterator[LogReader]:
        """Open a file, and close it unless its reader was added. UnreadableFileError."""
        reader = self._readers.open_detached(found)
        reader.path = log
        try:
            yield reader
        finally:
            if not self._readers.is_current(reader):
                reader.close()

    def _triggers_without(self, found: RotatedFile, latest: Checkpoint) -> set[str]:
        """Return the triggers of a log whose own patterns do not match its rotated file."""
        matching = {trigger for trigger, _ in self._scanner.patterns_for(found.path)}
        return latest.start_offsets.keys() - matching

    def _add_missing_triggers(self, found: RotatedFile, latest: Checkpoint) -> None:
        """Deliver an unread rotated file that some triggers match to all triggers of its log."""
        reader = self._readers.get(found.key)
        if reader is not None and reader.is_unread and not reader.is_copy:
            reader.share(self._triggers_without(found, latest) - reader.start_offsets.keys())

    def _store_if_read(self, reader: LogReader, latest: Checkpoint) -> bool:
        """Store a checkpoint for a file that has no more than another had; return whether."""
        read = self._matcher.find_original(reader)
        if read is not None:
            reader.mark_as_copy(read)
        elif self._matcher.is_fully_read(reader):
            reader.skip_to_end()
        else:
            return False
        reader.start_offsets = dict.fromkeys(latest.start_offsets, 0)
        self._store(reader)
        return True

    def _store(self, reader: LogReader) -> None:
        checkpoint = reader.take_checkpoint(self._readers.wall)
        archived = replace(checkpoint, archived_path=reader.file.path)
        self._readers.registry.store_closed(reader.key, archived)
