"""Rotated files of a log that are met when it is asked what became of its earlier files."""

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
    """Files that were never read: copies of what is gone, or what was missed."""

    def __init__(
        self, tails: ReaderSet, catalog: PathScanner, likeness: ContentMatcher, copies: CopyTracker
    ) -> None:
        self._tails, self._catalog = tails, catalog
        self._likeness, self._copies = likeness, copies

    def gather(
        self,
        path: str,
        siblings: list[RotatedFile],
        gone: list[Checkpoint],
        last: Checkpoint,
        *,
        missed: bool = True,
    ) -> bool:
        """Read copies of what is gone from where that was read to; tells whether there was one.

        What is later than the last file that we know, and no copy, is read too if there was one,
        or if it may have been missed. Of several copies of one file the longest is read.
        """
        strangers, copied = [], False
        for found in siblings:
            if self._tails.recognize(found):
                self._tails.registry.set_archived_path(found.key, found.path)
                copied |= self._copies.continued(found, gone)
                if missed and found.status.st_mtime_ns >= last.modified_ns:
                    self._share(found, last)
            else:
                strangers.append(found)
        strangers.sort(key=lambda found: found.status.st_size, reverse=True)
        for found in strangers:
            with suppress(UnreadableFileError, OSError):
                copied |= self._continues(found, path, gone, last)
        for found in strangers:
            if found.key not in self._tails and found.key not in self._tails.registry:
                with suppress(UnreadableFileError, OSError):
                    self._consider(found, path, last, wanted=missed or copied)
        return copied

    def _continues(
        self, found: RotatedFile, path: str, gone: list[Checkpoint], last: Checkpoint
    ) -> bool:
        """Read a copy of what is gone on from there, if it is one."""
        with self._peek(found, path) as tail:
            if not self._likeness.follow(tail, gone) or self._remember_if_copy(tail, last):
                return False
            self._tails.add_rotated(tail)
            return True

    def _consider(self, found: RotatedFile, path: str, last: Checkpoint, *, wanted: bool) -> None:
        """Read a file if it is later than the last that is known, and no copy."""
        late = found.status.st_mtime_ns >= last.modified_ns
        with self._peek(found, path) as tail:
            if late and self._remember_if_copy(tail, last):
                return
            tail.start_offsets = dict.fromkeys(self._nameless(found, last), 0)
            if tail.start_offsets and not late:  # it is never to be read
                tail.skip_to_end()
                self._store(tail)
            elif tail.start_offsets and wanted:
                self._tails.add_rotated(tail)

    @contextmanager
    def _peek(self, found: RotatedFile, path: str) -> Iterator[LogReader]:
        """Open a file, for as long as nobody adopts it; ClosedGateError if it cannot be."""
        tail = self._tails.open_detached(found)
        tail.path = path
        try:
            yield tail
        finally:
            if not self._tails.is_current(tail):
                tail.close()

    def _nameless(self, found: RotatedFile, last: Checkpoint) -> set[str]:
        """List the triggers of a log that do not meet its rotated file by a name of their own."""
        return last.start_offsets.keys() - {
            trigger for trigger, _ in self._catalog.patterns_for(found.path)
        }

    def _share(self, found: RotatedFile, last: Checkpoint) -> None:
        """Let all triggers of a log have a rotated file that some of them met by its name."""
        tail = self._tails.get(found.key)
        if tail is not None and tail.is_unread and not tail.is_copy:
            tail.share(self._nameless(found, last) - tail.start_offsets.keys())

    def _remember_if_copy(self, tail: LogReader, last: Checkpoint) -> bool:
        """Remember a file that holds nothing but what another held; tells whether it does."""
        read = self._likeness.original(tail)
        if read is not None:
            tail.mark_as_copy(read)
        elif self._likeness.is_spent(tail):
            tail.skip_to_end()
        else:
            return False
        tail.start_offsets = dict.fromkeys(last.start_offsets, 0)
        self._store(tail)
        return True

    def _store(self, tail: LogReader) -> None:
        position = replace(tail.take_checkpoint(self._tails.wall), archived_path=tail.file.path)
        self._tails.registry.store_closed(tail.key, position)
