"""Rotated files of a log that are met when it is asked what became of its earlier files."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from notifyd.sources.log.finding.catalog import Catalog
from notifyd.sources.log.finding.permission import ClosedGateError
from notifyd.sources.log.finding.siblings import Sibling
from notifyd.sources.log.position import Position
from notifyd.sources.log.reading.tail import Tail
from notifyd.sources.log.reading.tails import Tails
from notifyd.sources.log.rotation.copies import Copies
from notifyd.sources.log.rotation.likeness import Likeness


class Strangers:
    """Files that were never read: copies of what is gone, or what was missed."""

    def __init__(self, tails: Tails, catalog: Catalog, likeness: Likeness, copies: Copies) -> None:
        self._tails, self._catalog = tails, catalog
        self._likeness, self._copies = likeness, copies

    def gather(
        self,
        path: str,
        siblings: list[Sibling],
        gone: list[Position],
        last: Position,
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
            with suppress(ClosedGateError, OSError):
                copied |= self._continues(found, path, gone, last)
        for found in strangers:
            if found.key not in self._tails.by_key and found.key not in self._tails.ledger.stored:
                with suppress(ClosedGateError, OSError):
                    self._consider(found, path, last, wanted=missed or copied)
        return copied

    def _continues(self, found: Sibling, path: str, gone: list[Position], last: Position) -> bool:
        """Read a copy of what is gone on from there, if it is one."""
        with self._peek(found, path) as tail:
            if not self._likeness.follow(tail, gone) or self._remember_if_copy(tail, last):
                return False
            self._tails.archives.learn(path, found.path)
            self._tails.adopt(tail)
            return True

    def _consider(self, found: Sibling, path: str, last: Position, *, wanted: bool) -> None:
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
    def _peek(self, found: Sibling, path: str) -> Iterator[Tail]:
        """Open a file, for as long as nobody adopts it; ClosedGateError if it cannot be."""
        tail = self._tails.peek(found)
        tail.path = path
        try:
            yield tail
        finally:
            if self._tails.by_key.get(tail.key) is not tail:
                tail.close()

    def _nameless(self, found: Sibling, last: Position) -> set[str]:
        """List the triggers of a log that do not meet its rotated file by a name of their own."""
        return last.since.keys() - {trigger for trigger, _ in self._catalog.patterns(found.path)}

    def _share(self, found: Sibling, last: Position) -> None:
        """Let all triggers of a log have a rotated file that some of them met by its name."""
        tail = self._tails.by_key.get(found.key)
        if tail is not None and tail.fresh and not tail.copied:
            for trigger in self._nameless(found, last) - tail.since.keys():
                tail.since[trigger] = tail.offset

    def _remember_if_copy(self, tail: Tail, last: Position) -> bool:
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

    def _store(self, tail: Tail) -> None:
        position = replace(tail.position(self._tails.wall), place=tail.handle.path)
        self._tails.ledger.store(tail.key, position)
