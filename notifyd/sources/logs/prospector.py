"""Which files are followed, under which names, for which triggers and from where on."""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress

from notifyd.config.triggers import LogTriggerConfig
from notifyd.sources.logs.checkpoint import Checkpoint, FileId
from notifyd.sources.logs.discovery.access import UnreadableFileError, examined, unreadable
from notifyd.sources.logs.discovery.path_scanner import PathScanner
from notifyd.sources.logs.discovery.path_table import FileIdentity, PathTable
from notifyd.sources.logs.discovery.rotated_files import RotatedFile, originals, rotations
from notifyd.sources.logs.reading.log_reader import LogReader
from notifyd.sources.logs.reading.reader_set import ReaderSet
from notifyd.sources.logs.rotation.resolver import RotationResolver

_STRANGERS = 10_000

Named = list[tuple[str, str]]
"""Triggers, each with the path pattern by which it names a file."""


class Prospector:
    """Compares names with what they name: all of them in a `survey`, some after a hint."""

    def __init__(
        self, triggers: Mapping[str, LogTriggerConfig], catalog: PathScanner, tails: ReaderSet
    ) -> None:
        self.names = PathTable()
        self.problems: dict[str, str] = {}
        self.generations = RotationResolver(tails, self.names, catalog)
        self._triggers, self._catalog, self._tails = triggers, catalog, tails
        self._ledger = tails.ledger
        self._strangers: set[str] = set()
        self._begun = False

    def survey(self, paths: Iterable[str]) -> None:
        """Look at all paths that exist, and at all names that may have gone."""
        for path in sorted({*paths, *self.names, *self.problems}):
            self.look(path)
        if not self._begun:
            self._begun = True
            self.generations.begin()
            for path, siblings in rotations(set(self.names), self._tails.archives.of).items():
                if self._unarmed(patterns := self._catalog.patterns(path)):
                    for found in siblings:
                        if not self._tails.recognise(found):
                            self._reserve(path, found.key, found.status, patterns)
            self._ledger.arm(self._tails.wall)
        self.generations.hear_late_writers()
        self._tails.waiting.update(dict.fromkeys(self._tails.lingering))
        self._tails.note_alive()
        self._ledger.expire(self._tails.wall)

    def look(self, path: str) -> None:
        """Compare a name with what it names now."""
        self._strangers.discard(path)
        if self.problems.pop(path, None):  # what could not be read of it is tried again
            known = self._tails.files_of(path)
            self._tails.waiting.update((key, None) for key, _ in known if key in self._tails.by_key)
        patterns = self._catalog.patterns(path)
        if not patterns and self.names.get(path) is None:
            return
        try:
            status = examined(path)
        except UnreadableFileError as refusal:
            self.problems[path] = str(refusal)
            status = None
        identity = (status.st_dev, status.st_ino) if status else None
        if status is None or self.names.get(path) != identity:
            self._leave(path)
            if patterns and os.path.lexists(path):
                self.names.expect(path)
                if status is not None:
                    self._enter(path, status, patterns)
            return
        stamp = (status.st_size, status.st_mtime_ns)
        for tail in self._tails.of((status.st_dev, status.st_ino)):
            if tail.stamp != stamp:
                tail.stamp = stamp
                self.generations.doubt(path, tail)
                self._tails.waiting[tail.key] = None

    def written(self, path: str) -> None:
        """Take the hint that there is something new to read under this path."""
        for name in self.names.concerned(path):
            if identity := self.names.get(name) or self._nameless(name):
                self._tails.waiting.update((tail.key, None) for tail in self._tails.of(identity))

    def moved(self, tail: LogReader) -> None:
        """Take note that a file at rest is not where its name led to."""
        names = self.names.all(tail.key[:2])
        if not names:
            for reading in self._tails.of(tail.key[:2]):
                self._tails.park(reading)
        for name in names:
            self._leave(name)
        for name in sorted(names):
            self.look(name)
        self.generations.settle()  # before what has the name now is read

    def came(self, path: str) -> None:
        """Take the hint that a file appeared, which may be rotated from a log."""
        folder, name = os.path.split(path)
        for base in originals(name):
            log = os.path.join(folder, base)  # noqa: PTH118 - strings throughout
            if identity := self.names.get(log):
                for tail in self._tails.of(identity):
                    self.generations.doubt(log, tail)

    def _leave(self, path: str) -> None:
        identity = self.names.get(path)
        if identity is not None:
            self.generations.orphaned.add(path)
        if nameless := self.names.leave(path):
            for tail in self._tails.of(nameless):
                if tail.handle.number is None:  # closed at rest: it has to be found
                    self._tails.park(tail)
                else:
                    self._tails.linger(tail)
            key = FileId(*nameless)
            if position := self._ledger.stored.get(key):
                self.generations.find({key: position})
        elif identity is not None:
            for tail in self._tails.of(identity):
                tail.handle.path = min(self.names.all(identity))

    def _enter(self, path: str, status: os.stat_result, patterns: Named) -> None:
        key = FileId(status.st_dev, status.st_ino)
        tail = self._tails.by_key.get(key)
        if tail is not None and not tail.handle.leads(path):
            self.moved(tail)
            tail = self._tails.by_key.get(key)
        if tail is None:
            try:
                tail = self._tails.open(path, key, status)
            except UnreadableFileError as refusal:
                self.problems[path] = str(refusal)
                old = [pair for pair in patterns if self._begins_at_end(pair)]
                if old and key not in self._ledger.stored:
                    self._reserve(path, key, status, old)
                return
            if tail.lost is not None:
                self.generations.reborn(tail, tail.lost)
            elif tail.last.seen:
                self.generations.doubt(path, tail)
            if not tail.since:
                self.generations.orphaned.add(path)
                tail.fresh = not self._unarmed(patterns)
        tail.path = path
        tail.stamp = (status.st_size, status.st_mtime_ns)
        self.names.enter(path, key[:2])
        self._tails.named(key[:2], path)
        self._join(tail, status.st_size, patterns)

    def _join(self, tail: LogReader, size: int, patterns: Named) -> None:
        """Let the triggers that do not have this file yet have it, each from where it should."""
        starts: dict[str, int] = {}
        for trigger, pattern in patterns:
            if trigger not in tail.since:
                config = self._triggers[trigger]
                start = max(0, size - config.catch_up)
                if self._begins_at_end((trigger, pattern)):
                    start = tail.last_line(size)
                starts[trigger] = min(start, starts.get(trigger, start))
        if not starts:
            return
        if not tail.since:
            tail.go(min(starts.values()))
            if tail.offset < min(starts.values()):  # it was truncated in this very moment
                starts = dict.fromkeys(starts, 0)
        for trigger, start in starts.items():
            if start < tail.offset:
                try:
                    self._tails.branch(tail, trigger, start)
                except OSError as error:
                    self.problems[tail.path] = unreadable(tail.path, error)
                    continue
            tail.since[trigger] = max(start, tail.offset)
        self._tails.note(tail, urgent=True)  # else it could be renamed and never found again

    def _begins_at_end(self, pair: tuple[str, str]) -> bool:
        """Whether a trigger reads of what is there only what comes."""
        return pair in self._ledger.unarmed and self._triggers[pair[0]].read_from == "end"

    def _unarmed(self, patterns: Named) -> bool:
        return any(pair in self._ledger.unarmed for pair in patterns)

    def _reserve(self, path: str, key: FileId, status: os.stat_result, patterns: Named) -> None:
        """Remember the end of a file that was there before anybody looked and is not read."""
        position = Checkpoint(
            path,
            status.st_size,
            "",
            since=dict.fromkeys((trigger for trigger, _ in patterns), status.st_size),
            seen=self._tails.wall,
            modified=status.st_mtime_ns,
        )
        self._ledger.store(key, position)

    def _nameless(self, path: str) -> FileIdentity | None:
        """See whether a file that we have no name for is one that was followed before."""
        if path in self._strangers:
            return None
        with suppress(UnreadableFileError):
            if status := examined(path):
                key = FileId(status.st_dev, status.st_ino)
                self._tails.resume(RotatedFile(path, key, status))
                if tail := self._tails.by_key.get(key):
                    self.look(tail.path)  # it was renamed, and another may be there
                    return key[:2]
        if len(self._strangers) >= _STRANGERS:
            self._strangers.clear()
        self._strangers.add(path)
        return None
