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
from notifyd.sources.logs.reading.line_ends import last_line_start
from notifyd.sources.logs.reading.log_reader import LogReader, ReadState
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
        self.path_table = PathTable()
        self.problems: dict[str, str] = {}
        self.resolver = RotationResolver(tails, self.path_table, catalog)
        self._triggers, self._scanner, self._readers = triggers, catalog, tails
        self._registry = tails.registry
        self._unknown_paths: set[str] = set()
        self._has_scanned = False

    def scan(self, paths: Iterable[str]) -> None:
        """Look at all paths that exist, and at all names that may have gone."""
        for path in sorted({*paths, *self.path_table, *self.problems}):
            self.check_path(path)
        if not self._has_scanned:
            self._has_scanned = True
            self.resolver.begin()
            for path, siblings in rotations(
                set(self.path_table), self._readers.archive_dirs.of
            ).items():
                if self._has_new_pattern(patterns := self._scanner.patterns(path)):
                    for found in siblings:
                        if not self._readers.recognize(found):
                            self._store_end(path, found.key, found.status, patterns)
            self._registry.mark_scanned(self._readers.wall)
        self.resolver.hear_late_writers()
        self._readers.queue.schedule_draining()
        self._readers.refresh_last_seen()
        self._registry.expire(self._readers.wall)

    def check_path(self, path: str) -> None:
        """Compare a name with what it names now."""
        self._unknown_paths.discard(path)
        if self.problems.pop(path, None):  # what could not be read of it is tried again
            for key, _ in self._readers.known_files(path):
                if key in self._readers:
                    self._readers.queue.schedule(key)
        patterns = self._scanner.patterns(path)
        if not patterns and self.path_table.get(path) is None:
            return
        try:
            status = examined(path)
        except UnreadableFileError as refusal:
            self.problems[path] = str(refusal)
            status = None
        identity = (status.st_dev, status.st_ino) if status else None
        if status is None or self.path_table.get(path) != identity:
            self._remove_path(path)
            if patterns and os.path.lexists(path):
                self.path_table.expect(path)
                if status is not None:
                    self._add_path(path, status, patterns)
            return
        stamp = (status.st_size, status.st_mtime_ns)
        for tail in self._readers.readers_of((status.st_dev, status.st_ino)):
            if tail.last_stat != stamp:
                tail.last_stat = stamp
                self.resolver.doubt(path, tail)
                self._readers.queue.schedule(tail.key)

    def on_written(self, path: str) -> None:
        """Take the hint that there is something new to read under this path."""
        for name in self.path_table.concerned(path):
            if identity := self.path_table.get(name) or self._resume_unnamed(name):
                for tail in self._readers.readers_of(identity):
                    self._readers.queue.schedule(tail.key)

    def on_replaced(self, tail: LogReader) -> None:
        """Take note that a file at rest is not where its name led to."""
        names = self.path_table.all(tail.key.identity)
        if not names:
            for reading in self._readers.readers_of(tail.key.identity):
                self._readers.store_and_close(reading)
        for name in names:
            self._remove_path(name)
        for name in sorted(names):
            self.check_path(name)
        self.resolver.settle()  # before what has the name now is read

    def on_appeared(self, path: str) -> None:
        """Take the hint that a file appeared, which may be rotated from a log."""
        folder, name = os.path.split(path)
        for base in originals(name):
            log = os.path.join(folder, base)  # noqa: PTH118 - strings throughout
            if identity := self.path_table.get(log):
                for tail in self._readers.readers_of(identity):
                    self.resolver.doubt(log, tail)

    def _remove_path(self, path: str) -> None:
        identity = self.path_table.get(path)
        if identity is not None:
            self.resolver.orphaned.add(path)
        if nameless := self.path_table.leave(path):
            for tail in self._readers.readers_of(nameless):
                if not tail.file.is_open:  # closed at rest: it has to be found
                    self._readers.store_and_close(tail)
                else:
                    self._readers.drain(tail)
            key = FileId(*nameless)
            if position := self._registry.get(key):
                self.resolver.find({key: position})
        elif identity is not None:
            for tail in self._readers.readers_of(identity):
                tail.file.path = min(self.path_table.all(identity))

    def _add_path(self, path: str, status: os.stat_result, patterns: Named) -> None:
        key = FileId(status.st_dev, status.st_ino)
        tail = self._readers.get(key)
        if tail is not None and not tail.file.is_at(path):
            self.on_replaced(tail)
            tail = self._readers.get(key)
        if tail is None:
            try:
                tail = self._readers.open(path, key, status)
            except UnreadableFileError as refusal:
                self.problems[path] = str(refusal)
                old = [pair for pair in patterns if self._starts_at_end(pair)]
                if old and key not in self._registry:
                    self._store_end(path, key, status, old)
                return
            if (lost := tail.take_lost_checkpoint()) is not None:
                self.resolver.reborn(lost)
            elif tail.last_checkpoint.last_seen:
                self.resolver.doubt(path, tail)
            if not tail.start_offsets:
                self.resolver.orphaned.add(path)
                existed_before = self._has_new_pattern(patterns)
                tail.state = ReadState.READ if existed_before else ReadState.UNREAD
        tail.path = path
        tail.last_stat = (status.st_size, status.st_mtime_ns)
        self.path_table.enter(path, key.identity)
        self._readers.mark_named(key.identity, path)
        self._add_triggers(tail, status.st_size, patterns)

    def _add_triggers(self, tail: LogReader, size: int, patterns: Named) -> None:
        """Let the triggers that do not have this file yet have it, each from where it should."""
        starts: dict[str, int] = {}
        for trigger, pattern in patterns:
            if trigger not in tail.start_offsets:
                config = self._triggers[trigger]
                start = max(0, size - config.catch_up)
                if self._starts_at_end((trigger, pattern)):
                    start = last_line_start(tail.descriptor, size)
                starts[trigger] = min(start, starts.get(trigger, start))
        if not starts:
            return
        if not tail.start_offsets:
            tail.seek(min(starts.values()))
            if tail.offset < min(starts.values()):  # it was truncated in this very moment
                starts = dict.fromkeys(starts, 0)
        for trigger, start in starts.items():
            if start < tail.offset:
                try:
                    self._readers.add_catch_up_reader(tail, trigger, start)
                except OSError as error:
                    self.problems[tail.path] = unreadable(tail.path, error)
                    continue
            tail.start_offsets[trigger] = max(start, tail.offset)
        self._readers.save_checkpoint(
            tail, urgent=True
        )  # else it could be renamed and never found again

    def _starts_at_end(self, pair: tuple[str, str]) -> bool:
        """Whether a trigger reads of what is there only what comes."""
        return self._registry.is_new_pattern(pair) and self._triggers[pair[0]].read_from == "end"

    def _has_new_pattern(self, patterns: Named) -> bool:
        return any(map(self._registry.is_new_pattern, patterns))

    def _store_end(self, path: str, key: FileId, status: os.stat_result, patterns: Named) -> None:
        """Remember the end of a file that was there before anybody looked and is not read."""
        position = Checkpoint(
            path,
            status.st_size,
            "",
            start_offsets=dict.fromkeys((trigger for trigger, _ in patterns), status.st_size),
            last_seen=self._readers.wall,
            modified_ns=status.st_mtime_ns,
        )
        self._registry.store_closed(key, position)

    def _resume_unnamed(self, path: str) -> FileIdentity | None:
        """See whether a file that we have no name for is one that was followed before."""
        if path in self._unknown_paths:
            return None
        with suppress(UnreadableFileError):
            if status := examined(path):
                key = FileId(status.st_dev, status.st_ino)
                self._readers.resume(RotatedFile(path, key, status))
                if tail := self._readers.get(key):
                    self.check_path(tail.path)  # it was renamed, and another may be there
                    return key.identity
        if len(self._unknown_paths) >= _STRANGERS:
            self._unknown_paths.clear()
        self._unknown_paths.add(path)
        return None
