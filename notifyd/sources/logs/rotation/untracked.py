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
            if self._tails.recognise(found):
                self._tails.meet(found)
                copied |= self._copies.continued(found, gone)
                if missed and found.status.st_mtime_ns >= last.modified:
                    self._share(found, last)
            else:
                strangers.append(found)
        strangers.sort(key=lambda found: found.status.st_size, reverse=True)
        for found in strangers:
            with suppress(UnreadableFileError, OSError):
                copied |= self._continues(found, path, gone, last)
        for found in strangers:
            if found.key not in self._tails.by_key and found.key not in self._tails.ledger.stored:
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
            self._tails.archives.learn(path, found.path)
            self._tails.adopt(tail)
            return True

    def _consider(self, found: RotatedFile, path: str, last: Checkpoint, *, wanted: bool) -> None:
        """Read a file if it is later than the last that is known, and no copy."""
        late = found.status.st_mtime_ns >= last.modified
        with self._peek(found, path) as tail:
            if late and self._remember_if_copy(tail, last):
                return
            tail.since = dict.fromkeys(self._nameless(found, last), 0)
            if tail.since and not late:  # it is never to be read
                tail.pass_over()
                self._store(tail)
            elif tail.since and wanted:
                self._tails.adopt(tail)

    @contextmanager
    def _peek(self, found: RotatedFile, path: str) -> Iterator[LogReader]:
        """Open a file, for as long as nobody adopts it; ClosedGateError if it cannot be."""
        tail = self._tails.peek(found)
        tail.path = path
        try:
            yield tail
        finally:
            if self._tails.by_key.get(tail.key) is not tail:
                tail.close()

    def _nameless(self, found: RotatedFile, last: Checkpoint) -> set[str]:
        """List the triggers of a log that do not meet its rotated file by a name of their own."""
        return last.since.keys() - {trigger for trigger, _ in self._catalog.patterns(found.path)}

    def _share(self, found: RotatedFile, last: Checkpoint) -> None:
        """Let all triggers of a log have a rotated file that some of them met by its name."""
        tail = self._tails.by_key.get(found.key)
        if tail is not None and tail.fresh and not tail.copied:
            for trigger in self._nameless(found, last) - tail.since.keys():
                tail.since[trigger] = tail.offset

    def _remember_if_copy(self, tail: LogReader, last: Checkpoint) -> bool:
        """Remember a file that holds nothing but what another held; tells whether it does."""
        read = self._likeness.original(tail)
        if read is not None:
            tail.copy(read)
        elif self._likeness.is_spent(tail):
            tail.pass_over()
        else:
            return False
        tail.since = dict.fromkeys(last.since, 0)
        self._store(tail)
        return True

    def _store(self, tail: LogReader) -> None:
        position = replace(tail.position(self._tails.wall), place=tail.handle.path)
        self._tails.ledger.store(tail.key, position)
