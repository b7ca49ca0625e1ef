"""The open files: which are to be read, which only linger, and what is remembered of each."""

import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

from notifyd.sources.logs.checkpoint import Checkpoint, FileId
from notifyd.sources.logs.discovery.access import UnreadableFileError
from notifyd.sources.logs.discovery.archive_dirs import ArchiveDirs
from notifyd.sources.logs.discovery.path_table import FileIdentity
from notifyd.sources.logs.discovery.rotated_files import RotatedFile, originals
from notifyd.sources.logs.reading.descriptor_pool import DescriptorPool
from notifyd.sources.logs.reading.log_reader import LogReader
from notifyd.sources.logs.reading.registry import Registry

DRAIN_SECONDS = 60.0
"""Seconds for which a file without a name of ours is read on after its last late line."""

_DAILY = 86400.0


class ReaderSet:
    """`waiting` are those to be read, in this order; `lingering` those without a name.

    `now` is monotonic, `wall` is not; the follower sets both before each turn.
    lanes: the triggers that may read a file apart from the others.
    """

    def __init__(self, ledger: Registry, lanes: Iterable[str], handles: DescriptorPool) -> None:
        self.now = self.wall = 0.0
        self.registry, self.pool, self.archive_dirs = ledger, handles, ArchiveDirs()
        for position in ledger.stored.values():
            self.archive_dirs.learn(position.path, position.archived_path)
        self.by_key: dict[FileId, LogReader] = {}
        self.draining: dict[FileId, float] = {}
        self.scheduled: OrderedDict[FileId, None] = OrderedDict()
        self.replaced_checkpoints: list[Checkpoint] = []
        """Of which we know since the last look that they are not what they were."""
        self.withheld: dict[FileId, FileId] = {}
        """Files that hold nothing but what another begins with, which is followed too."""
        self._lanes = tuple(lanes)
        self._keys: dict[FileIdentity, list[FileId]] = {}

    def readers_of(self, identity: FileIdentity) -> list[LogReader]:
        """List the readings of one file: the common one and its lanes."""
        return [self.by_key[key] for key in self._keys.get(identity, ())]

    def known_files(self, path: str) -> Iterator[tuple[FileId, Checkpoint]]:
        """Go through all files that a path has named, also before rotation, as last noted."""
        for key, position in self._last_checkpoints(self.registry.keys_for_path(path)):
            if self.may_be_same_log(path, os.path.dirname(position.path)):  # noqa: PTH120 - strings
                yield key, position

    def possible_originals(self, path: str) -> Iterator[tuple[FileId, Checkpoint]]:
        """Go through the files of the log that a file at this path may be rotated from.

        A folder that holds the log itself holds the rotated files of no other.
        """
        folder, name = os.path.split(path)
        for base in sorted(originals(name)):
            log = os.path.join(folder, base)  # noqa: PTH118
            home = self.registry.is_log_path(log)
            keys = self.registry.keys_for_path(log) if home else self.registry.keys_for_name(base)
            for key, position in self._last_checkpoints(keys):
                if self.may_be_same_log(position.path, folder):
                    yield key, position

    def _last_checkpoints(self, keys: Iterable[FileId]) -> Iterator[tuple[FileId, Checkpoint]]:
        for key in keys:
            tail = self.by_key.get(key)
            position = self.registry.stored.get(key) if tail is None else tail.last_checkpoint
            if position is not None:
                yield key, position

    def may_be_same_log(self, path: str, folder: str) -> bool:
        """Whether files at a path and in a folder may be of one log."""
        own = os.path.dirname(path)  # noqa: PTH120 - strings throughout
        return own == folder or self.archive_dirs.near(path, folder)

    def open(self, path: str, key: FileId, status: os.stat_result) -> LogReader:
        """Open a file and go on where it was left, with every lane; ClosedGateError if it fails."""
        tail = self._add(LogReader(self.pool.open(path, status), key, path))
        position = self.registry.stored.pop(key, None)
        same = position is None or tail.resume_verified(position)
        if position is not None:
            tail.path, tail.last_checkpoint = (
                position.path,
                replace(position, copy_search_done=False),
            )
            if not same:
                tail.last_checkpoint = Checkpoint(path, 0, "", modified_ns=position.modified_ns)
                tail.start_offsets = (
                    dict.fromkeys(position.start_offsets, 0) if position.path == path else {}
                )
                tail.lost_checkpoint = position
                tail.path = path
        with suppress(OSError):
            tail.take_unread_snapshot()
        for lane in self._lanes:
            rest = self.registry.stored.pop(FileId(*key[:2], lane), None)
            if rest is None:
                continue
            branch = self._add(LogReader(tail.file.share(), FileId(*key[:2], lane), path))
            if not same or not branch.resume_verified(rest):
                self.forget(branch)
        return tail

    def resume(self, found: RotatedFile) -> None:
        """Go on with a file under a name that is not ours, if it is not just the same number.

        Not with a copy, unless it was written to after it was found to be one.
        """
        if self.recognize(found) and found.key not in self.by_key:
            position = self.registry.stored.get(found.key)
            written = position is not None and found.status.st_mtime_ns > position.modified_ns
            if position is not None and (written or not position.is_copy):
                with suppress(UnreadableFileError):
                    self.open_rotated(found)

    def open_rotated(self, found: RotatedFile) -> LogReader:
        """Open a file that is known, under a name that is not ours; ClosedGateError if it fails."""
        tail = self.open(found.path, found.key, found.status)
        for reading in self.readers_of(found.key[:2]):
            self.drain(reading)
        return tail

    def recognize(self, found: RotatedFile) -> bool:
        """Tell whether this was followed before; what has but its number takes its place."""
        if (open_one := self.by_key.get(found.key)) is not None:
            if open_one.file.is_at(found.path):
                return True
            for reading in self.readers_of(found.key[:2]):
                self.store_and_close(reading)
        position = self.registry.stored.get(found.key)
        if position is None:
            return False
        try:
            tail = self.open_detached(found)
        except UnreadableFileError:
            return True
        same = tail.resume_verified(position)
        tail.close()
        if not same:
            self.replaced_checkpoints.append(position)
            self.registry.forget(found.key)
        return same

    def mark_copy_search_done(self, gone: Mapping[FileId, Checkpoint]) -> None:
        """Remember that copies of files that are no more were looked for."""
        for key, position in gone.items():
            if self.registry.stored.get(key) == position:
                self.registry.store_closed(key, replace(position, copy_search_done=True))
            tail = self.by_key.get(key)
            if (
                tail is not None and tail.file.open_descriptor is None
            ):  # at rest, and not to be found
                tail.copy_search_done = True

    def record_location(self, found: RotatedFile) -> None:
        """Remember where a file lies that has no name of ours."""
        position = self.registry.stored.get(found.key)
        if position is not None and found.path not in {position.archived_path, position.path}:
            self.registry.stored[found.key] = replace(position, archived_path=found.path)

    def open_detached(self, found: RotatedFile) -> LogReader:
        """Open a file without following it; ClosedGateError if it cannot be."""
        return LogReader(self.pool.open(found.path, found.status), found.key, found.path)

    def add_rotated(self, tail: LogReader) -> None:
        """Read a file that has no name of ours and never had one."""
        self._add(tail)
        self.save_checkpoint(tail, urgent=True)
        self.drain(tail)

    def withhold(self, tail: LogReader, original: LogReader) -> None:
        """Do not read a file as long as it is but a copy; what is read elsewhere is passed over."""
        self.withheld[tail.key] = original.key
        tail.mark_as_copy(original.offset)
        self.save_checkpoint(tail, urgent=True)

    def add_catch_up_reader(self, tail: LogReader, trigger: str, start: int) -> None:
        """Give a trigger that came late a reading of its own, up to where the others are."""
        key = FileId(*tail.key[:2], trigger)
        branch = self._add(LogReader(tail.file.share(), key, tail.path))
        branch.seek(start)
        branch.start_offsets, branch.catch_up_end = {trigger: branch.offset}, tail.offset
        self.scheduled[key] = None
        self.save_checkpoint(branch)

    def mark_named(self, identity: FileIdentity, path: str) -> None:
        """Take note that a file has a name of ours, and is to be read."""
        for tail in self.readers_of(identity):
            tail.file.path, tail.file.pinned = path, False
            self.draining.pop(tail.key, None)
            self.scheduled[tail.key] = None

    def drain(self, tail: LogReader) -> None:
        """Read on for a while, for the sake of late writers, and before anything newer."""
        tail.file.pinned = True
        if tail.file.open_descriptor is not None and tail.is_deleted:
            tail.copy_search_done = True
            self.save_checkpoint(tail)
        self.archive_dirs.learn(tail.path, tail.file.current_path)
        self.draining[tail.key] = self.now + DRAIN_SECONDS
        self.scheduled[tail.key] = None
        self.scheduled.move_to_end(tail.key, last=False)

    def store_and_close(self, tail: LogReader) -> None:
        """Close a file and remember where it ended."""
        self.registry.store_closed(tail.key, tail.take_checkpoint(self.wall))
        self._close(tail.key)

    def schedule_oldest_first(self) -> None:
        """Have what has no name any more read in the order in which it was written."""
        for key in sorted(
            self.draining,
            key=lambda key: self.by_key[key].last_checkpoint.modified_ns,
            reverse=True,
        ):
            self.scheduled[key] = None
            self.scheduled.move_to_end(key, last=False)

    @property
    def drained(self) -> list[LogReader]:
        """What lingered long enough, or too long as there are so many."""
        crowded = len(self.draining) - self.pool.limit // 2
        return [
            self.by_key[key]
            for number, (key, deadline) in enumerate(self.draining.items())
            if key not in self.scheduled and (deadline <= self.now or number < crowded)
        ]

    def save_checkpoint(self, tail: LogReader, *, urgent: bool = False) -> None:
        """Have a tail's position committed with the next reading, or now."""
        self.registry.update(tail.key, tail.take_checkpoint(self.wall), urgent=urgent)

    def refresh_last_seen(self) -> None:
        """Remember once a day that files exist of which nothing else changes."""
        for tail in self.by_key.values():
            if tail.last_checkpoint.last_seen + _DAILY < self.wall:
                self.save_checkpoint(tail)

    def forget(self, tail: LogReader) -> None:
        """Close a tail of which nothing need be remembered."""
        self.registry.forget(tail.key)
        self._close(tail.key)

    def close(self) -> None:
        for key in list(self.by_key):
            self._close(key)

    def _add(self, tail: LogReader) -> LogReader:
        self.by_key[tail.key] = tail
        self._keys.setdefault(tail.key[:2], []).append(tail.key)
        return tail

    def _close(self, key: FileId) -> None:
        self.by_key.pop(key).close()
        self._keys[key[:2]].remove(key)
        if not self._keys[key[:2]]:
            del self._keys[key[:2]]
        for kept in (self.draining, self.scheduled, self.withheld):
            kept.pop(key, None)
