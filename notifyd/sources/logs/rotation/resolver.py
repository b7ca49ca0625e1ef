"""Finds what rotation renamed, copied or replaced, and has the files of a log read in order."""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache

from notifyd.sources.logs.checkpoint import Checkpoint, FileId
from notifyd.sources.logs.discovery.access import UnreadableFileError
from notifyd.sources.logs.discovery.archive_dirs import list_subdirectories
from notifyd.sources.logs.discovery.path_scanner import PathScanner
from notifyd.sources.logs.discovery.path_table import PathTable
from notifyd.sources.logs.discovery.rotated_files import (
    RotatedFile,
    find_compressed,
    find_renamed,
    find_rotated,
    rotated_file_at,
)
from notifyd.sources.logs.reading.log_reader import LogReader
from notifyd.sources.logs.reading.reader_set import DRAIN_SECONDS, ReaderSet
from notifyd.sources.logs.rotation.content_match import ContentMatcher
from notifyd.sources.logs.rotation.copytruncate import CopyTracker
from notifyd.sources.logs.rotation.earlier_files import EarlierFiles
from notifyd.sources.logs.rotation.lost_generations import LostGenerations
from notifyd.sources.logs.rotation.unnamed import UnnamedGenerations
from notifyd.sources.logs.rotation.untracked import UntrackedFiles

_DISTINCTIVE_SIZE = 64
"""How many bytes must have been read of a log to recognize its copy in any directory."""
_SEARCH_INTERVAL = 60.0
"""Seconds before nearby directories are searched again for a copy that was not found."""
_NS = 1_000_000_000
"""Nanoseconds in a second. Some compressors keep modification times to the second only."""


class RotationResolver:
    """Has each line of a log read once, whatever rotation does to its files.

    A truncated log is handled at once. What else may have been rotated is recorded, and `resolve`
    compares these logs with their rotated files before a file is read.
    """

    def __init__(self, readers: ReaderSet, path_table: PathTable, scanner: PathScanner) -> None:
        self._readers, self._path_table, self._scanner = readers, path_table, scanner
        self._matcher = ContentMatcher(readers)
        self._earlier_files = EarlierFiles(readers, path_table, scanner, self._matcher)
        self.copies = CopyTracker(readers, self._matcher)
        self._untracked = UntrackedFiles(readers, scanner, self._matcher, self.copies)
        self._moved_paths = {checkpoint.path for _, checkpoint in readers.registry.closed_files()}
        self._suspect_paths: set[str] = set()
        self._failed_searches: dict[str, float] = {}
        self._renamed: dict[str, list[str]] = {}
        self.lost_generations = LostGenerations(readers.registry, scanner)
        self._unnamed = UnnamedGenerations(readers, scanner)
        self._was_stopped = False

    # Recording what may have been rotated

    def mark_moved(self, path: str) -> None:
        """Record that a path leads to another file than before, or to none."""
        self._moved_paths.add(path)

    def on_renamed(self, old: str, new: str) -> None:
        """Record that a log, or a file that was a log before, was renamed."""
        for names in self._renamed.values():
            if old in names:
                names[names.index(old)] = new
                return
        if self._scanner.patterns_for(old):
            names = self._renamed.setdefault(old, [])
            if self._path_table.get(old) is None and not names:
                names.append("")  # stands for the file that was being read
            names.append(new)

    def mark_suspect(self, path: str, reader: LogReader) -> None:
        """Record that a log may have been written, copied and truncated unnoticed.

        Ignored if lines were read of it: then reading notices the truncation.
        """
        if reader.only_nul:
            self._suspect_paths.add(path)

    def on_content_replaced(self, lost: Checkpoint) -> None:
        """Record that a file that is opened again has other content than its checkpoint."""
        self._readers.add_replaced(lost)
        self._moved_paths.add(lost.path)

    # Truncated logs

    def on_truncated(self, reader: LogReader, lost: Checkpoint) -> None:
        """Find a copy of what a log contained before it was truncated, and read the rest of it."""
        log, archive_dirs = lost.path, self._readers.archive_dirs
        self.copies.resume_copies(reader.key, lost)
        rotated = find_rotated({log}, archive_dirs.known_and_child_dirs).get(log, [])
        is_unread = lost.offset == 0
        has_copy = self._untracked.adopt(log, rotated, [lost], lost, may_have_missed=is_unread)
        if not has_copy and self._may_search_nearby(lost):
            self._search_nearby(lost)
        self._matcher.recent_generations.add([lost])
        self.copies.recheck_copies(lambda original: original == reader.key)
        self._readers.save_checkpoint(reader, urgent=True)

    def _may_search_nearby(self, lost: Checkpoint) -> bool:
        """Whether a copy would be recognized, and the last search is long ago or found one."""
        return lost.offset >= _DISTINCTIVE_SIZE and not self._has_failed_search(lost.path)

    def _search_nearby(self, lost: Checkpoint) -> None:
        log = lost.path
        rotated = find_rotated({log}, self._readers.archive_dirs.nearby_dirs).get(log, [])
        rotated = [found for found in rotated if found.status.st_mtime_ns >= lost.modified_ns]
        if not self._untracked.adopt(log, rotated, [lost], lost, may_have_missed=False):
            recent = filter(self._has_failed_search, self._failed_searches)
            self._failed_searches = {path: self._failed_searches[path] for path in recent}
            self._failed_searches[log] = self._readers.now

    def _has_failed_search(self, log: str) -> bool:
        failed_at = self._failed_searches.get(log)
        return failed_at is not None and self._readers.now < failed_at + _SEARCH_INTERVAL

    # Renamed files

    def resume_all_renamed(self) -> None:
        """Find the closed files that were renamed before the start.

        `resolve` then looks for generations that began before the start under any name.
        """
        self._was_stopped = True
        self.resume_renamed(dict(self._readers.registry.closed_files()))

    def resume_renamed(self, missing: Mapping[FileId, Checkpoint]) -> None:
        """Find files that are not at their paths, and read those that may have new lines."""
        for found in find_renamed(missing, self._readers.archive_dirs):
            checkpoint = missing[found.key]
            self._readers.archive_dirs.add(checkpoint.path, found.path)
            is_recent = found.status.st_mtime + DRAIN_SECONDS > self._readers.wall
            may_have_more = is_recent or found.status.st_size != checkpoint.offset
            was_written = found.status.st_mtime_ns > checkpoint.modified_ns
            if was_written or (may_have_more and not checkpoint.is_copy):
                self._readers.resume(found)
            elif checkpoint.archived_path != found.path:
                archived = replace(checkpoint, archived_path=found.path)
                self._readers.registry.store_closed(found.key, archived)

    def resume_written(self) -> None:
        """Read closed rotated files that were written to, which no hint reports."""
        for key, checkpoint in self._readers.registry.closed_files():
            if checkpoint.archived_path and not key.catch_up_trigger:
                with suppress(OSError):
                    status = os.stat(checkpoint.archived_path)  # noqa: PTH116 - strings throughout
                    was_written = status.st_mtime_ns > checkpoint.modified_ns
                    if not was_written or status.st_size <= checkpoint.offset:
                        continue
                    if found := rotated_file_at(checkpoint.archived_path, key):
                        self._readers.resume(found)

    def close_drained(self) -> None:
        """Close the files that have drained. Forget those that are deleted, after their copies."""
        for reader in self._readers.drained:
            if not reader.is_deleted:
                self._readers.store_and_close(reader)
                continue
            log, last = reader.path, reader.last_checkpoint
            self.copies.resume_copies(reader.key, last)
            self._readers.close_and_forget(reader)
            rotated = find_rotated({log}, self._readers.archive_dirs.known_dirs).get(log, [])
            self._untracked.adopt(log, rotated, [last], last, may_have_missed=False)

    # Comparing a log with its rotated files

    def resolve(self) -> None:
        """Read generations newer than the last checkpoint of each recorded log, oldest first."""
        self.copies.recheck_copies(lambda original: original not in self._readers)
        has_moved = bool(self._moved_paths)
        while self._moved_paths or self._readers.has_replaced or self._suspect_paths:
            self._resolve_recorded()
        if self._was_stopped:
            self._adopt_numbered()
            self._unnamed.forget_directories()
        self.lost_generations.store(self._readers.wall)
        if has_moved or self._was_stopped:
            self._readers.schedule_oldest_first()
        self._was_stopped = False

    def _resolve_recorded(self) -> None:
        """Resolve what is recorded; this may record more."""
        replaced: dict[str, list[Checkpoint]] = {}
        for checkpoint in (all_replaced := self._readers.take_replaced()):
            replaced.setdefault(checkpoint.path, []).append(checkpoint)
        self._matcher.recent_generations.add(all_replaced)
        latest = self._take_suspects()
        suspects = set(latest)
        moved, self._moved_paths = self._moved_paths, set()
        for log in moved | replaced.keys():
            if before := self._earlier_files.latest_before(log, replaced.get(log, [])):
                latest[log] = before
        archive_dirs = self._readers.archive_dirs
        subdirectories = cache(list_subdirectories)  # listed once for all logs
        rotated = find_rotated(
            latest.keys(), lambda log: archive_dirs.known_and_child_dirs(log, subdirectories)
        )
        compressed = find_compressed(latest.keys(), archive_dirs.known_dirs)
        renamed, self._renamed = self._renamed, {}
        for log in sorted(latest):
            self._add_renamed(log, renamed.get(log, []), rotated)
            if self._was_stopped:
                named = rotated.get(log, [])
                _add_rotated(log, self._unnamed.find_between(log, latest[log], named), rotated)
            self._count_compressed(log, latest[log], compressed.get(log, ()))
            for found in rotated.get(log, []):
                self._readers.registry.set_archived_path(found.key, found.path)
            lost = self._earlier_files.lost_files(log)
            self._untracked.adopt(
                log,
                rotated.get(log, []),
                [*lost.values(), *replaced.get(log, ())],
                latest[log],
                may_have_missed=log in suspects
                or not self._earlier_files.is_followed(self._path_table.get(log)),
            )
            self._readers.mark_copy_search_done(lost)

    def _add_renamed(
        self, log: str, names: list[str], rotated: dict[str, list[RotatedFile]]
    ) -> None:
        """Add the files that a log was renamed to. Count those that no longer exist.

        The first one was being read, so it is not lost.
        """
        files = [rotated_file_at(name) for name in names]
        self.lost_generations.add_deleted(log, files[1:].count(None), self._readers.wall)
        known = {found.key for found in rotated.get(log, [])}
        new = [found for found in files if found and found.key not in known]
        _add_rotated(log, new, rotated)

    def _adopt_numbered(self) -> None:
        """Read the files that log managers began beside a log during a stop."""
        for log in self._unnamed.logs:
            identity = self._path_table.get(log)
            reader = self._readers.get(FileId(*identity)) if identity else None
            if reader is not None and self._earlier_files.is_followed(identity):
                files = self._unnamed.find_beside(log)
                latest = reader.last_checkpoint
                self._untracked.adopt(log, files, [], latest, may_have_missed=True)

    def _count_compressed(
        self, log: str, latest: Checkpoint, files: Iterable[tuple[str, int]]
    ) -> None:
        """Count the compressed generations that were written to after the last checkpoint.

        files: paths, and modification times in ns. Compression keeps these times, which identify
        the generations that were read.
        """
        known_times = set()
        for key, checkpoint in self._readers.known_files(log):
            reader = self._readers.get(key)
            with suppress(OSError, UnreadableFileError):
                times = reader.mtime_ns if reader else checkpoint.modified_ns
                known_times.add(times // _NS)
        for path, mtime_ns in files:
            is_later = mtime_ns // _NS > latest.modified_ns // _NS
            if is_later and mtime_ns // _NS not in known_times:
                self.lost_generations.add_compressed(log, path, mtime_ns, self._readers.wall)

    def _take_suspects(self) -> dict[str, Checkpoint]:
        """Return, once, the last checkpoints of the suspect logs of which no line was read yet."""
        found: dict[str, Checkpoint] = {}
        for log in self._suspect_paths:
            identity = self._path_table.get(log)
            for reader in self._readers.readers_of(identity) if identity else ():
                if reader.only_nul and not reader.key.catch_up_trigger:
                    found[log] = reader.last_checkpoint
        self._suspect_paths = set()
        return found


def _add_rotated(log: str, new: list[RotatedFile], rotated: dict[str, list[RotatedFile]]) -> None:
    """Add rotated files of a log to those that were found, the one written to last first."""
    if new:
        files = [*new, *rotated.get(log, [])]
        rotated[log] = sorted(files, key=lambda found: found.status.st_mtime_ns, reverse=True)
