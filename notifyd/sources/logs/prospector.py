"""Which files the configured paths lead to, for which triggers, and from where they are read."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from types import MappingProxyType

from notifyd.config.triggers import LogTriggerConfig
from notifyd.sources.logs.checkpoint import Checkpoint, FileId
from notifyd.sources.logs.discovery.access import UnreadableFileError, explain_error, stat_log
from notifyd.sources.logs.discovery.path_scanner import PathScanner
from notifyd.sources.logs.discovery.path_table import FileIdentity, PathTable
from notifyd.sources.logs.discovery.rotated_files import RotatedFile, find_rotated, original_names
from notifyd.sources.logs.new_paths import NewPaths
from notifyd.sources.logs.reading.line_ends import last_line_start
from notifyd.sources.logs.reading.log_reader import LogReader, ReadState, RestStat
from notifyd.sources.logs.reading.reader_set import ReaderSet
from notifyd.sources.logs.reading.registry import PathPattern
from notifyd.sources.logs.reading.rewrites import RewriteDetector
from notifyd.sources.logs.rotation.longer_copy import resume_longer_copy
from notifyd.sources.logs.rotation.resolver import RotationResolver

_MOST_UNKNOWN_PATHS = 10_000


class Prospector:
    """Compares each path with the file that it leads to: all in `scan`, some after a hint."""

    def __init__(
        self, triggers: Mapping[str, LogTriggerConfig], scanner: PathScanner, readers: ReaderSet
    ) -> None:
        self.path_table, self.new_paths = PathTable(), NewPaths(readers.registry)
        self.resolver = RotationResolver(readers, self.path_table, scanner)
        self.rewrites = RewriteDetector(readers)
        self._triggers, self._scanner, self._readers = triggers, scanner, readers
        self._registry = readers.registry
        self._problems: dict[str, str] = {}
        self._unknown_paths: set[str] = set()
        """Paths of files that are not known, so that hints about them cost little."""
        self._has_scanned = False

    @property
    def problems(self) -> Mapping[str, str]:
        """By path, why a file cannot be read."""
        return MappingProxyType(self._problems)

    def add_problem(self, path: str, message: str) -> None:
        """Report a file, until its path is checked again."""
        self._problems[path] = message

    def is_known(self, path: str) -> bool:
        """Whether a path leads to a file, or to one that cannot be read."""
        return self.path_table.get(path) is not None or path in self._problems

    def scan(self, paths: Iterable[str]) -> None:
        """Check all paths that led to a file before, and later in turn the others that exist.

        The first scan checks all at once, because what it finds existed before.
        """
        self.new_paths.is_scan_due = False
        known = {*self.path_table, *self._problems}
        for path in sorted(known if self._has_scanned else {*paths, *known}):
            self.check_path(path)
        if self._has_scanned:
            self.new_paths.update(sorted({*paths} - known))
        else:
            self._has_scanned = True
            self.resolver.resume_all_renamed()
            self._skip_old_rotations()
            self._registry.mark_scanned(self._readers.wall)
        self.resolver.resume_written()
        self._readers.queue.schedule_draining()
        self._readers.refresh_last_seen()
        self._registry.expire(self._readers.wall)

    def check_path_in_turn(self, path: str) -> None:
        """Check a path, but later if no file is known there, because opening files takes long."""
        if self.is_known(path):
            self.check_path(path)
        else:
            self.new_paths.add(path)

    def open_new_files(self) -> None:
        """Check a slice of the new paths."""
        for path in self.new_paths.slice(self._readers.queue):
            self.check_path(path)

    def check_path(self, path: str) -> None:
        """Compare a path with the file that it leads to."""
        self.new_paths.discard(path)
        self._unknown_paths.discard(path)
        if self._problems.pop(path, None):  # its unreadable files are tried again
            for key, _ in self._readers.known_files(path):
                if key in self._readers:
                    self._readers.queue.schedule(key)
        patterns = self._scanner.patterns_for(path)
        if not patterns and self.path_table.get(path) is None:
            return
        try:
            status = stat_log(path)
        except UnreadableFileError as error:
            self._problems[path] = str(error)
            status = None
        identity = (status.st_dev, status.st_ino) if status else None
        if status is None or self.path_table.get(path) != identity:
            self._remove_path(path)
            if patterns and os.path.lexists(path):
                self.path_table.track_links(path)
                if status is not None:
                    self._add_path(path, status, patterns)
            return
        self._check_file(path, status)

    def _check_file(self, path: str, status: os.stat_result) -> None:
        """Schedule the readers of a file that has changed."""
        stat = (status.st_size, status.st_mtime_ns)
        for reader in self._readers.readers_of((status.st_dev, status.st_ino)):
            if reader.last_stat != stat:
                reader.last_stat = stat
                self.rewrites.on_unproved(reader, reader.rest)
                self.resolver.mark_suspect(path, reader)
                self._readers.queue.schedule(reader.key)

    def on_written(self, path: str) -> None:
        """Handle the hint that a file was written to."""
        for name in self.path_table.affected_paths(path):
            if name in self.new_paths:
                continue
            if identity := self.path_table.get(name) or self._resume_unnamed(name):
                for reader in self._readers.readers_of(identity):
                    self._readers.queue.schedule(reader.key)

    def on_written_last(self, path: str) -> None:
        """Handle the hint that a file was written to, and that nothing else happened since."""
        for reader in self._readers_at(path):
            self.rewrites.on_written(reader)

    def on_attributes_changed(self, path: str) -> None:
        """Handle the hint that attributes of a file, such as its times, were changed."""
        for reader in self._readers_at(path):
            self.rewrites.on_attributes_changed(reader)

    def _readers_at(self, path: str) -> Iterator[LogReader]:
        for name in self.path_table.affected_paths(path):
            if identity := self.path_table.get(name):
                yield from self._readers.readers_of(identity)

    def on_appeared(self, path: str) -> None:
        """Handle the hint that a file appeared, which may be rotated from a log."""
        folder, name = os.path.split(path)
        for base in original_names(name):
            log = os.path.join(folder, base)  # noqa: PTH118 - strings throughout
            if identity := self.path_table.get(log):
                for reader in self._readers.readers_of(identity):
                    self.resolver.mark_suspect(log, reader)

    def on_replaced(self, reader: LogReader) -> None:
        """Handle that a closed file is not at its path any more."""
        identity = reader.key.identity
        paths = self.path_table.paths_of(identity)
        if not paths:
            for each in self._readers.readers_of(identity):
                self._readers.store_and_close(each)
        for path in paths:
            self._remove_path(path)
        for path in sorted(paths):
            self.check_path(path)
        self.resolver.resolve()  # before the file that has the path now is read

    def _remove_path(self, path: str) -> None:
        """Record that a path does not lead to its file any more."""
        identity = self.path_table.get(path)
        if identity is not None:
            self.resolver.mark_moved(path)
        if unnamed := self.path_table.remove(path):
            for reader in self._readers.readers_of(unnamed):
                if reader.file.is_open:
                    self._readers.drain(reader)
                else:  # it has to be found before it can be opened again
                    self._readers.store_and_close(reader)
            key = FileId(*unnamed)
            if checkpoint := self._registry.get(key):
                self.resolver.resume_renamed({key: checkpoint})
        elif identity is not None:
            for reader in self._readers.readers_of(identity):
                reader.file.path = min(self.path_table.paths_of(identity))

    def _add_path(self, path: str, status: os.stat_result, patterns: list[PathPattern]) -> None:
        """Open the file that a path leads to, unless it is open, for the triggers that name it."""
        key = FileId(status.st_dev, status.st_ino)
        reader = self._readers.get(key)
        if reader is not None and not reader.file.is_at(path):
            self.on_replaced(reader)
            reader = self._readers.get(key)
        if reader is None:
            try:
                reader = self._open(path, key, status, patterns)
            except UnreadableFileError as error:
                self._problems[path] = str(error)
                at_end = [pattern for pattern in patterns if self._starts_at_end(pattern)]
                if at_end and key not in self._registry:
                    self._store_end(path, key, status, at_end)
                return
        reader.path = path
        reader.last_stat = (status.st_size, status.st_mtime_ns)
        self.path_table.add(path, key.identity)
        self._readers.mark_named(key.identity, path)
        self._add_triggers(reader, status.st_size, patterns)

    def _open(
        self, path: str, key: FileId, status: os.stat_result, patterns: list[PathPattern]
    ) -> LogReader:
        reader = self._readers.open(path, key, status)
        lost = reader.take_lost_checkpoint()
        if lost is None and reader.last_checkpoint.tail_digest:
            last = reader.last_checkpoint
            self.rewrites.on_unproved(reader, RestStat(last.offset, last.modified_ns))
        if resume_longer_copy(self._readers, reader, lost):
            return reader
        if lost is not None:
            self.resolver.on_content_replaced(lost)
        elif reader.last_checkpoint.last_seen:
            self.resolver.mark_suspect(path, reader)
        if not reader.start_offsets:
            self.resolver.mark_moved(path)
            existed_before = self._has_new_pattern(patterns)
            reader.state = ReadState.READ if existed_before else ReadState.UNREAD
        return reader

    def _add_triggers(self, reader: LogReader, size: int, patterns: list[PathPattern]) -> None:
        """Give a file to the triggers that do not have it yet, from where each begins."""
        starts: dict[str, int] = {}
        for trigger, pattern in patterns:
            if trigger not in reader.start_offsets:
                config = self._triggers[trigger]
                start = max(0, size - config.catch_up)
                if self._starts_at_end((trigger, pattern)):
                    start = last_line_start(reader.descriptor, size)
                starts[trigger] = min(start, starts.get(trigger, start))
        if not starts:
            return
        if not reader.start_offsets:
            reader.seek(min(starts.values()))
            if reader.offset < min(starts.values()):  # it was truncated meanwhile
                starts = dict.fromkeys(starts, 0)
        for trigger, start in starts.items():
            if start < reader.offset:
                try:
                    self._readers.add_catch_up_reader(reader, trigger, start)
                except OSError as error:
                    self._problems[reader.path] = explain_error(reader.path, error)
                    continue
            reader.start_offsets[trigger] = max(start, reader.offset)
        self._readers.save_checkpoint(reader, urgent=True)  # else a renamed file is not found again

    def _starts_at_end(self, pattern: PathPattern) -> bool:
        """Whether a trigger reads only what is appended to a file that exists now."""
        trigger, _ = pattern
        is_new = self._registry.is_new_pattern(pattern)
        return is_new and self._triggers[trigger].read_from == "end"

    def _has_new_pattern(self, patterns: list[PathPattern]) -> bool:
        return any(map(self._registry.is_new_pattern, patterns))

    def _skip_old_rotations(self) -> None:
        """Store the ends of rotated files that were there before the first scan of a pattern."""
        places = self._readers.archive_dirs.known_dirs
        for path, siblings in find_rotated(set(self.path_table), places).items():
            patterns = self._scanner.patterns_for(path)
            for found in siblings if self._has_new_pattern(patterns) else ():
                if not self._readers.recognize(found):
                    self._store_end(path, found.key, found.status, patterns)

    def _store_end(
        self, path: str, key: FileId, status: os.stat_result, patterns: list[PathPattern]
    ) -> None:
        """Store a checkpoint at the end of a file whose present content is not read."""
        checkpoint = Checkpoint(
            path,
            status.st_size,
            "",
            start_offsets=dict.fromkeys((trigger for trigger, _ in patterns), status.st_size),
            last_seen=self._readers.wall,
            modified_ns=status.st_mtime_ns,
        )
        self._registry.store_closed(key, checkpoint)

    def _resume_unnamed(self, path: str) -> FileIdentity | None:
        """Open the file at a path that no trigger names, if its checkpoint is known."""
        if path in self._unknown_paths:
            return None
        with suppress(UnreadableFileError):
            if status := stat_log(path):
                key = FileId(status.st_dev, status.st_ino)
                self._readers.resume(RotatedFile(path, key, status))
                if reader := self._readers.get(key):
                    self.check_path(reader.path)  # it was renamed, and another file may be there
                    return key.identity
        if len(self._unknown_paths) >= _MOST_UNKNOWN_PATHS:
            self._unknown_paths.clear()
        self._unknown_paths.add(path)
        return None
